"""Random forests as a subset ensemble, against joblib's parallel loop over clones.

70 % subsets of 1,500 images of digits, each forest of 50 trees asked about all rows. Ours is
`subset_ensemble`, which also keeps every member on the disk and gives the scores; the peer is
`Parallel` over `clone` and `fit` on the same subsets, with as many workers of one thread.

Both sides start their workers, and end them, within their time: that is what a script pays that
does this once. Beside it stands joblib with workers that were started before the clock.
"""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier

import overparam as op
from measuring import alternate, show
from overparam.data import draw_subsets
from overparam.machine import available_cores

N_ROWS, RATIO, N_TREES = 1500, 0.7, 50


def forests(n_models: int, rounds: int = 3) -> None:
    """Time both sides on the same subsets; print ratios and accuracies out of sample."""
    train_set, _ = op.load_data("digits")
    X = train_set.inputs.flatten(1).numpy()[:N_ROWS]
    y = train_set.labels.numpy()[:N_ROWS]
    forest, cores = RandomForestClassifier(n_estimators=N_TREES), available_cores()
    masks = draw_subsets(n_models, len(y), RATIO, op.Streams(0).child(f"ratio {RATIO!r}"))

    def ours() -> float:
        with tempfile.TemporaryDirectory() as folder:
            made = op.subset_ensemble(forest, X, y, n_models=n_models, folder=folder)
            return float(made.c_scores().estimate.mean())

    def loop() -> float:
        jobs = (delayed(_fitted)(forest, X, y, np.flatnonzero(m), k) for k, m in enumerate(masks))
        right = np.array([said.argmax(1) == y for said in Parallel(n_jobs=cores)(jobs)])
        return float(right[~masks].mean())

    def cold() -> float:
        found = loop()
        get_reusable_executor().shutdown(wait=True)
        return found

    ours()  # code is read from the disk, and compiled, before any clock
    cold()
    timed = alternate({"ours": ours, "joblib": cold}, rounds, warm_up=False)
    timed |= alternate({"joblib, workers started": loop}, rounds)
    get_reusable_executor().shutdown(wait=True)
    seconds = {name: t.median for name, t in timed.items()}
    ratio = seconds["joblib"] / seconds["ours"]
    started = seconds["joblib, workers started"] / seconds["ours"]
    accuracy = {name: t.result for name, t in timed.items()}
    show(
        "ensemble_forests",
        f"{n_models} forests in {seconds['ours']:.1f} s: {ratio:.2f}x as fast as joblib's loop, "
        f"both from the start of their workers ({started:.2f}x one whose workers were started "
        f"before); accuracy out of sample {accuracy['ours']:.3f}, {accuracy['joblib']:.3f}",
        models=n_models, seconds=seconds, rounds={k: t.seconds for k, t in timed.items()},
        ratio=ratio, ratio_to_started=started, accuracy=accuracy,
    )  # fmt: skip


def _fitted(forest: Any, X: np.ndarray, y: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    model = clone(forest).set_params(random_state=seed, n_jobs=1)
    return model.fit(X[rows], y[rows]).predict_proba(X)
