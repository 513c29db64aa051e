"""Subset ensembles: random forests against joblib's loop over clones, and a thousand networks.

Forests: 70 % subsets of 1,500 images of digits, each forest asked about all rows. Ours is
`subset_ensemble`, which also keeps every member on the disk; the peer is joblib's `Parallel` over
`clone` and `fit` on the same subsets, with the same number of workers of one thread, workers
started before any clock on its side. Networks: 5,000 images pooled to 14 x 14, 196-64-10,
20 epochs; scores with intervals included. The plain loop trains a few of them, scaled up.

    python benchmarks/ensembles.py [--forests 200] [--networks 1000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from torch.nn import functional as F

import overparam as op
from cells import Cell
from measuring import alternate, best_of, show, with_threads
from mnist_ensemble import images
from overparam.data import Dataset, draw_subsets, make_dataset
from overparam.machine import available_cores
from peers import plain_loop

N_FOREST_ROWS, N_ROWS, RATIO = 1500, 5000, 0.7
RECIPE = op.Recipe(learning_rate=0.1, momentum=0.9, batch_size=64, epochs=20, precision="auto")
_SAMPLED = 6  # networks that the plain loop trains


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--forests", type=int, default=200)
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    forest = forests(args.forests, args.rounds)
    network = networks(args.networks)
    show(
        "ensembles",
        f"{args.forests} forests: {forest['ratio']:.2f}x as fast as joblib's loop (accuracy out of "
        f"sample {forest['accuracy']:.3f}, {forest['peer_accuracy']:.3f}); {args.networks} "
        f"networks on {network['rows']} rows with scores in {network['seconds'] / 60:.1f} min, "
        f"{network['ratio']:.1f}x the plain loop (accuracy out of sample "
        f"{network['accuracy']:.3f}, {network['plain_accuracy']:.3f})",
        forests=forest, networks=network,
    )  # fmt: skip


def forests(n_models: int, rounds: int) -> dict[str, Any]:
    """Return seconds of both sides for the same subsets, and their accuracies out of sample."""
    train_set, _ = op.load_data("digits")
    X = train_set.inputs.flatten(1).numpy()[:N_FOREST_ROWS]
    y = train_set.labels.numpy()[:N_FOREST_ROWS]
    forest, cores = RandomForestClassifier(n_estimators=50), available_cores()
    masks = draw_subsets(n_models, len(y), RATIO, op.Streams(0))
    loop = Parallel(n_jobs=cores)
    loop(delayed(_fitted)(forest, X[:50], y[:50], np.arange(50), 0) for _ in range(cores))

    def ours() -> float:
        with tempfile.TemporaryDirectory() as folder:
            made = op.subset_ensemble(forest, X, y, n_models=n_models, folder=folder)
            return float(made.c_scores().estimate.mean())

    def peer() -> float:
        said = loop(
            delayed(_fitted)(forest, X, y, np.flatnonzero(m), k) for k, m in enumerate(masks)
        )
        right = np.array([p.argmax(1) == y for p in said])
        return float(right[~masks].mean())

    timed = alternate({"ours": ours, "joblib": peer}, rounds, warm_up=False)
    return {
        "models": n_models, "seconds": {k: t.median for k, t in timed.items()},
        "rounds": {k: t.seconds for k, t in timed.items()},
        "ratio": timed["joblib"].median / timed["ours"].median,
        "accuracy": timed["ours"].result, "peer_accuracy": timed["joblib"].result,
    }  # fmt: skip


def _fitted(forest: Any, X: np.ndarray, y: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    model = clone(forest).set_params(random_state=seed, n_jobs=1)
    return model.fit(X[rows], y[rows]).predict_proba(X)


def networks(n_models: int) -> dict[str, Any]:
    """Return the seconds of an ensemble with scores, and of a few models by a plain loop."""
    data = pooled(images()[0])
    make = op.models.mlp(196, 64, 10)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made = op.subset_ensemble(make, data, n_models=n_models, recipe=RECIPE, folder=folder)
        scores = made.memorization_scores()
        seconds = time.perf_counter() - start
        accuracy = float(np.nanmean(made.c_scores().estimate))
        in_doubt = float((np.abs(scores.estimate) > 0.05).mean())
    masks = draw_subsets(_SAMPLED, len(data), RATIO, op.Streams(0))
    streams = [op.Streams(0).child(f"member {k}") for k in range(_SAMPLED)]
    cells = [
        Cell(make, data.subset(rows_of(m)), data.subset(rows_of(~m)), RECIPE, s)
        for m, s in zip(masks, streams, strict=True)
    ]
    cores = available_cores()
    ways = {
        f"plain, {n} threads": with_threads(n, lambda: [plain_loop(c) for c in cells])
        for n in {1, cores}
    }
    timed = alternate(ways, 1, warm_up=False)
    best, plain = best_of(timed, "plain")
    each = plain / _SAMPLED
    return {
        "models": n_models, "rows": len(data), "seconds": seconds,
        "plain_seconds_per_model": each, "best_plain": best,
        "ratio": each * n_models / seconds, "accuracy": accuracy,
        "plain_accuracy": 1 - float(np.mean(timed[best].result, axis=0)[1]),
        "share_of_rows_above_.05": in_doubt,
    }  # fmt: skip


def rows_of(mask: np.ndarray) -> torch.Tensor:
    """Return the positions that a mask holds."""
    return torch.from_numpy(np.flatnonzero(mask))


def pooled(data: Dataset) -> Dataset:
    """Return the first rows at 14 x 14."""
    some = data.head(N_ROWS)
    small = F.avg_pool2d(some.inputs.reshape(-1, 1, 28, 28), 2).flatten(1)
    return make_dataset(small.to(torch.float32), some.labels, name=f"{some.name}, 14 x 14")


if __name__ == "__main__":
    main()
