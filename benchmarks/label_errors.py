"""How many planted wrong labels are found, and what decides it: rows, models, the rule of ranking.

Fashion-MNIST (F) and MNIST (M) with 10 % of labels changed to another class, whichever; 784-128-10
on standardised pixels, batch 128, cosine schedule; balanced 70 % subsets. Recall among as many rows
as there are flips. "1 - p_out" is what `rank_label_errors` takes, of K models; "two looks" the same
of K / 2 models that were trained without the most suspicious rows of K / 2 others, as many rows as
the noise rate that these estimate: K models in all. Beside them: the largest other probability
minus that of the label; one run's cumulative loss; the share of other labels among ten neighbours
(on pixels, 14 x 14). No seconds. OVERPARAM_DATA must have both sets.

    python benchmarks/label_errors.py [--rows 2000 60000] [--models 40] [--epochs 10] [--draws 1]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import nn
from torch.nn import functional as F

import overparam as op
from measuring import show
from overparam.measures import estimate_noise_rate, rank_label_errors, recall_of_errors

WIDTH, BATCH, RATE, SHARE = 128, 128, 0.1, 0.1
SETS = {"F": "fashion_mnist", "M": "mnist"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=(2000, 60_000))
    parser.add_argument("--models", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--sets", nargs="+", default=tuple(SETS), choices=tuple(SETS))
    args = parser.parse_args()
    found: dict[str, Any] = {}
    for name in args.sets:
        for n in args.rows:
            draws = [
                measured(SETS[name], n, args.models, args.epochs, s) for s in range(args.draws)
            ]
            mean = {k: float(np.mean([d[k] for d in draws])) for k in draws[0]}
            found[f"{name}, {n:,} rows"] = mean
            print(name, n, {k: round(v, 3) for k, v in mean.items()}, flush=True)
    show(
        "label_errors",
        "\n".join(f"| {name} | " + " | ".join(f"{v:.3f}" for v in row.values()) + " |"
                  for name, row in found.items()),
        models=args.models, epochs=args.epochs, draws=args.draws, recall=found,
    )  # fmt: skip


def measured(source: str, n: int, n_models: int, epochs: int, seed: int) -> dict[str, float]:
    """Return the recall of each ranking, and how right the ensemble is out of sample."""
    images, inputs, labels, flipped = planted(source, n, seed)
    net = op.models.mlp(inputs.shape[1], [WIDTH], 10)
    recipe = op.Recipe(
        epochs=epochs, learning_rate=RATE, momentum=0.9, batch_size=BATCH,
        schedule=op.Schedule("cosine"),
    )  # fmt: skip
    half = n_models // 2
    ensemble = op.subset_ensemble(net, inputs, labels, half, recipe=recipe, seed=seed)
    suspects = ensemble.label_errors().order[: round(ensemble.noise_rate().rate * n)]
    second = op.subset_ensemble(
        net, inputs, labels, half, recipe=recipe, seed=seed + 1000, leave_out=suspects
    )
    said = ensemble.extend(n_models).out_of_sample_probabilities().probabilities
    others = said.copy()
    others[np.arange(n), labels] = -1
    near = NearestNeighbors(n_neighbors=11, algorithm="brute").fit(images)
    neighbours = near.kneighbors(return_distance=False)[:, :10]
    scores = {
        "1 - p_out": rank_label_errors(said, labels).suspicion,
        "two looks": second.label_errors().suspicion,
        "largest other - own": others.max(1) - said[np.arange(n), labels],
        "one run's loss": cumulative_loss(inputs, labels, epochs),
        "10 neighbours": (labels[neighbours] != labels[:, None]).mean(1),
    }
    found = {
        name: recall_of_errors(np.argsort(-score, kind="stable"), flipped)
        for name, score in scores.items()
    }
    right = said.argmax(1) == labels
    rate = estimate_noise_rate(said, labels)
    return found | {
        "right out of sample": float(right[~flipped].mean()),
        "noise rate": rate.rate, "low": rate.low, "high": rate.high,
    }  # fmt: skip


def planted(
    source: str, n: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return images at 14 x 14, standardised pixels, labels of which some are wrong, and which."""
    train_set, _ = op.load_data(source)
    rng = np.random.default_rng(seed)
    rows = torch.from_numpy(rng.permutation(len(train_set))[:n])
    images = train_set.inputs[rows].reshape(n, 1, 28, 28).float()
    labels = train_set.labels[rows].numpy().copy()
    flipped = np.zeros(n, bool)
    flipped[rng.permutation(n)[: int(SHARE * n)]] = True
    labels[flipped] = (labels[flipped] + rng.integers(1, 10, flipped.sum())) % 10
    pixels = images.reshape(n, -1).numpy()
    inputs = (pixels - pixels.mean(0)) / (pixels.std(0) + 0.03)
    return F.avg_pool2d(images, 2).reshape(n, -1).numpy(), inputs, labels, flipped


def cumulative_loss(inputs: np.ndarray, labels: np.ndarray, epochs: int) -> np.ndarray:
    """Return the loss of each row, summed over the epochs of one run on all rows."""
    torch.manual_seed(0)
    x, y = torch.from_numpy(inputs).float(), torch.from_numpy(labels).long()
    net = nn.Sequential(nn.Linear(x.shape[1], WIDTH), nn.ReLU(), nn.Linear(WIDTH, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE, momentum=0.9)
    steps = epochs * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    total = torch.zeros(len(x))
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            total += F.cross_entropy(net(x), y, reduction="none")
    return total.numpy()


if __name__ == "__main__":
    main()
