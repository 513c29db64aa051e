"""The published 1-D MNIST double-descent sweep: 19 widths x 4 seeds of a small perceptron.

40-h-h-10, h = 2 ... 300, 4,000 training rows with 15 % wrong labels, batch 100, SGD with learning
rate 0.01 and momentum 0.9 (Greydanus 2020, arXiv:2011.14439; its 500 epochs are cut, and seconds
are per epoch). Ours against a plain PyTorch loop over tensors, the same loop with a `DataLoader`,
and JAX's ``jit(vmap(scan))`` over the seeds of each width.

    python benchmarks/mlp_widths.py [--epochs 5] [--rounds 3] [--seeds 4] [--every 1] [--skip-jax]
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch

from cells import Cell, Workers
from measuring import Timed, alternate, best_of, peak_flops, show, with_threads
from overparam.data import corrupt_labels_wrong, make_mnist1d
from overparam.machine import available_cores
from overparam.models.dense import mlp
from overparam.streams import Streams
from overparam.training.recipe import Recipe
from overparam.training.stacks import step_flops
from peers import JaxMapped, loader_loop, plain_loop

WIDTHS = np.unique(np.geomspace(2, 300, 20, dtype=int)).tolist()
N_TRAIN, N_TEST, NOISE = 4000, 1000, 0.15
RECIPE = Recipe(learning_rate=0.01, momentum=0.9, batch_size=100, epochs=1, precision="auto")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--every", type=int, default=1, help="take every k-th width only")
    parser.add_argument("--skip-jax", action="store_true")
    args = parser.parse_args()
    recipe = replace(RECIPE, epochs=args.epochs)
    widths = WIDTHS[:: args.every]
    seeds = [seed_cells(seed, widths, recipe) for seed in range(args.seeds)]
    one_epoch = [[replace(c, recipe=RECIPE) for c in cells] for cells in seeds]
    workers, cores = Workers(), available_cores()
    ways = {
        "ours": lambda: workers.train(seeds),
        "plain, 1 thread": with_threads(1, lambda: [plain_loop(c) for s in seeds for c in s]),
        f"plain, {cores} threads": with_threads(
            cores, lambda: [plain_loop(c) for s in seeds for c in s]
        ),
    }
    if not args.skip_jax:
        mapped = [JaxMapped(cells) for cells in zip(*seeds, strict=True)]
        ways["jax"] = lambda: [errors for width in mapped for errors in width()]
    timed = alternate(ways, args.rounds)
    loader = {"loader": with_threads(1, lambda: [loader_loop(c) for s in one_epoch for c in s])}
    timed |= alternate(loader, args.rounds, warm_up=False)

    per_epoch = {k: t.median / (1 if k == "loader" else args.epochs) for k, t in timed.items()}
    plain = best_of(timed, "plain")[0]
    ratios = {
        "plain loop": per_epoch[plain] / per_epoch["ours"],
        "DataLoader": per_epoch["loader"] / per_epoch["ours"],
    }
    if "jax" in timed:
        ratios["jax jit(vmap(scan))"] = per_epoch["jax"] / per_epoch["ours"]
    flops = sum(step_flops(c.model, 100, (40,)) for s in seeds for c in s) * N_TRAIN / 100
    peaks = {str(d)[6:]: peak_flops(d, cores) for d in (torch.float32, torch.bfloat16)}
    rate = flops / per_epoch["ours"]
    quality = {k: mean_errors(t) for k, t in timed.items() if k != "loader"}
    text = ", ".join(f"{v:.1f}x {k}" for k, v in ratios.items())
    show(
        "mlp_widths",
        f"{len(widths)} widths x {args.seeds} seeds: {per_epoch['ours']:.3f} s an epoch, {text}; "
        f"test error after {args.epochs} epochs {quality['ours'][1]:.3f} (plain "
        f"{quality[plain][1]:.3f}); {rate / max(peaks.values()):.1%} of the machine's peak",
        seconds_per_epoch=per_epoch, ratios=ratios, best_plain=plain,
        mean_train_and_test_error=quality, epochs=args.epochs, widths=widths, seeds=args.seeds,
        flops_per_second=rate, peak_flops_per_second=peaks,
        share_of_peak={k: rate / v for k, v in peaks.items()},
        growth=growth(workers),
    )  # fmt: skip


def seed_cells(seed: int, widths: list[int], recipe: Recipe, n_train: int = N_TRAIN) -> list[Cell]:
    """Return the cells of one seed: same rows, noise and order, one model per width."""
    streams = Streams(seed)
    clean, test_set = make_mnist1d(streams, n_train, N_TEST)
    train_set = corrupt_labels_wrong(clean, NOISE, streams)
    return [Cell(mlp(40, [h, h], 10), train_set, test_set, recipe, streams) for h in widths]


def growth(workers: Workers) -> dict[str, dict[int, float]]:
    """Return seconds per epoch by number of models of one width, by width, and by rows."""
    by_models = {m: [[c] * m for c in seed_cells(0, [32], RECIPE)] for m in (1, 4, 16, 64)}
    by_width = {h: [seed_cells(0, [h] * 8, RECIPE)] for h in (16, 64, 256)}
    by_rows = {n: [seed_cells(0, [32] * 8, RECIPE, n)] for n in (1000, 4000, 16000)}
    measured = {}
    for name, works in (("models", by_models), ("width", by_width), ("rows", by_rows)):
        timed = alternate({k: lambda w=w: workers.train(w) for k, w in works.items()}, 3)
        measured[name] = {k: t.median for k, t in timed.items()}
    return measured


def mean_errors(timed: Timed) -> tuple[float, float]:
    """Return the mean training and test error over the models."""
    train, test = np.mean(timed.result, axis=0)
    return float(train), float(test)


if __name__ == "__main__":
    main()
