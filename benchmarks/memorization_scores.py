"""How many models memorization scores take: counted, from margins, with a prior from one run.

2,000 images of Fashion-MNIST (F, labels as they are) and of MNIST (M, 10 % of labels wrong),
mean-pooled to 14 x 14; 196-64-10, 30 epochs of SGD; balanced 70 % subsets. Estimates from K models
are held against the counted scores of 1,000 others. Takes five to ten minutes on one core, and
OVERPARAM_DATA with both sets.

    python benchmarks/memorization_scores.py [--models 1400] [--reference 1000]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.neighbors import NearestNeighbors
from torch import nn

from measuring import show
from overparam.data import Dataset, draw_subsets, load, make_dataset
from overparam.measures import (
    estimate_noise_rate,
    influence_scores,
    memorization_scores,
    out_of_sample_probabilities,
    rank_label_errors,
    recall_of_errors,
)
from overparam.models.dense import mlp
from overparam.streams import Streams
from overparam.training.fitted import predict
from overparam.training.recipe import Recipe, Schedule
from overparam.training.request import solve_all
from overparam.training.train import train

N_ROWS, N_TEST, N_FLIPPED = 2000, 1000, 200
RECIPE = Recipe(
    epochs=30, learning_rate=0.1, momentum=0.9, batch_size=64, schedule=Schedule("cosine")
)
KS = (3, 4, 5, 10, 20, 40, 80)
REPEATS = 4
LEAST_SCORE = 0.05  # rows above it are compared; most rows score 0


@dataclass
class Ensemble:
    """What models on subsets say of the rows, and of test rows."""

    images: np.ndarray
    labels: np.ndarray
    flipped: np.ndarray
    masks: np.ndarray
    margins: np.ndarray
    probabilities: np.ndarray
    test_margins: np.ndarray
    one_run: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=int, default=1400)
    parser.add_argument("--reference", type=int, default=1000)
    args = parser.parse_args()
    tables: dict[str, Any] = {}
    for name, source in (("F", "fashion_mnist"), ("M", "mnist")):
        made = ensemble(source, args.models, flip=name == "M")
        pool = args.models - args.reference
        tables[name] = {
            "scores": {k: row for k in KS for row in [scores(made, k, pool)] if row},
            "label_errors": {k: labels(made, k, pool) for k in (10, 40, 160) if k <= pool},
            "influence": {k: pairs(made, k) for k in (100, 400, args.models) if k <= args.models},
        }
        if name == "M":
            tables[name]["recall_of_one_loss"] = recall(made, made.one_run)
            tables[name]["recall_of_10_neighbours"] = recall(made, neighbours(made))
    show("memorization_scores", "\n".join(lines(tables)), models=args.models, **tables)


def ensemble(source: str, n_models: int, flip: bool) -> Ensemble:
    train_set, test_set = load(source)
    rng = np.random.default_rng(0)
    images, truth = pooled(train_set, N_ROWS, rng)
    test_images, test_labels = pooled(test_set, N_TEST, rng)
    labels = truth.copy()
    if flip:
        some = rng.permutation(N_ROWS)[:N_FLIPPED]
        labels[some] = (labels[some] + rng.integers(1, 10, N_FLIPPED)) % 10
    centre, scale = images.mean(0), images.std(0) + 0.03
    images, test_images = (images - centre) / scale, (test_images - centre) / scale
    rows = make_dataset(images, labels, name=source)
    # Every ten models are an ensemble of their own: rows are in and out of some from the fourth on.
    masks = np.concatenate(
        [draw_subsets(10, N_ROWS, 0.7, Streams(i)) for i in range(n_models // 10)]
    )

    async def member(k: int) -> tuple[np.ndarray, np.ndarray]:
        subset = rows.subset(torch.from_numpy(np.flatnonzero(masks[k])))
        fitted = await train(mlp(196, [64], 10), subset, RECIPE, Streams(k))
        said = [(await predict(fitted, x)).double().numpy() for x in (images, test_images)]
        return said[0], said[1]

    shape = len(masks), N_ROWS
    margins, probabilities = np.empty(shape), np.empty((*shape, 10), np.float32)
    test_margins = np.empty((len(masks), N_TEST))
    for start in range(0, len(masks), 100):
        some = range(start, min(start + 100, len(masks)))
        for k, (logits, test) in zip(some, solve_all([member(k) for k in some]), strict=True):
            margins[k], test_margins[k] = margin(logits, labels), margin(test, test_labels)
            probabilities[k] = torch.from_numpy(logits).softmax(1).numpy()
    return Ensemble(
        images, labels, labels != truth, masks, margins, probabilities, test_margins,
        cumulative_loss(images, labels),
    )  # fmt: skip


def pooled(data: Dataset, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rows = torch.from_numpy(rng.permutation(len(data))[:n])
    images = nn.functional.avg_pool2d(data.inputs[rows].reshape(n, 1, 28, 28), 2)
    return images.reshape(n, 196).numpy(), data.labels[rows].numpy()


def margin(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    own = np.arange(len(labels)), labels
    others = logits.copy()
    others[own] = -np.inf
    return logits[own] - others.max(1)


def cumulative_loss(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the loss of each row, summed over the epochs of one run on all rows."""
    torch.manual_seed(0)
    x, y = torch.from_numpy(images).float(), torch.from_numpy(labels).long()
    net = nn.Sequential(nn.Linear(196, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=RECIPE.learning_rate, momentum=0.9)
    steps = 30 * -(-N_ROWS // 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    total = torch.zeros(N_ROWS)
    for _ in range(30):
        for batch in torch.randperm(N_ROWS).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            total += nn.functional.cross_entropy(net(x), y, reduction="none")
    return total.numpy()


def draws(pool: int, k: int) -> Iterator[slice]:
    step = max(k, 10)
    yield from (slice(i * step, i * step + k) for i in range(min(REPEATS, pool // step)))


def scores(made: Ensemble, k: int, pool: int) -> dict[str, list[float]]:
    """Spearman above .05, recall of the top 5 %, coverage of all rows, and of those above .05."""
    reference = memorization_scores(made.masks[pool:], made.margins[pool:] > 0).estimate
    matters = np.abs(reference) > LEAST_SCORE
    top = np.argsort(-reference)[: N_ROWS // 20]
    found: dict[str, list[list[float]]] = {}
    for some in draws(pool, k):
        masks, margins = made.masks[some], made.margins[some]
        ways = {
            "counted": memorization_scores(masks, margins > 0),
            "margin tail": memorization_scores(masks, margins=margins),
            "with prior": memorization_scores(masks, margins=margins, prior=made.one_run),
        }
        for way, s in ways.items():
            known = np.isfinite(s.estimate)
            covered = (s.low <= reference) & (reference <= s.high)
            first = np.argsort(-np.where(known, s.estimate, -9))[: len(top)]
            found.setdefault(way, []).append([
                spearmanr(s.estimate[matters & known], reference[matters & known])[0],
                len(set(top) & set(first)) / len(top),
                covered[known].mean(),
                covered[known & matters].mean(),
            ])  # fmt: skip
    return {way: np.mean(values, 0).round(3).tolist() for way, values in found.items()}


def labels(made: Ensemble, k: int, pool: int) -> dict[str, Any]:
    found: dict[str, list[Any]] = {}
    for some in draws(pool, k):
        said = out_of_sample_probabilities(made.masks[some], made.probabilities[some])
        rate = estimate_noise_rate(said.probabilities, made.labels)
        found.setdefault("noise_rate", []).append([rate.rate, rate.low, rate.high])
        if made.flipped.any():
            ranked = rank_label_errors(said.probabilities, made.labels)
            counted = memorization_scores(made.masks[some], made.margins[some] > 0).estimate
            found.setdefault("recall", []).append(recall(made, ranked.suspicion))
            found.setdefault("recall_of_memorization", []).append(recall(made, counted))
    return {name: np.mean(values, 0).round(3).tolist() for name, values in found.items()}


def recall(made: Ensemble, score: np.ndarray) -> list[float]:
    order = np.argsort(-score, kind="stable")
    return [recall_of_errors(order, made.flipped, k) for k in (N_FLIPPED, 2 * N_FLIPPED)]


def neighbours(made: Ensemble) -> np.ndarray:
    """Return the share of the ten nearest images with another label."""
    near = NearestNeighbors(n_neighbors=11).fit(made.images).kneighbors(return_distance=False)
    return (made.labels[near[:, :10]] != made.labels[:, None]).mean(1)


def pairs(made: Ensemble, k: int) -> list[float]:
    """High-influence pairs found, and how many chance alone would give."""
    memorized = memorization_scores(made.masks, made.margins > 0).estimate
    found = influence_scores(
        made.masks[:k], test_margins=made.test_margins[:k], memorization=memorized
    )
    return [found.n_above, round(found.n_by_chance, 1)]


def lines(tables: dict[str, Any]) -> Iterator[str]:
    for name, table in tables.items():
        for k, ways in table["scores"].items():
            for way, values in ways.items():
                yield f"| {name} | {k} | {way} | " + " | ".join(f"{v:.3f}" for v in values) + " |"
        for key, values in table.items():
            if key != "scores":
                yield f"{name} {key}: {values}"


if __name__ == "__main__":
    main()
