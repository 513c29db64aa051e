"""An ensemble on random 70 % subsets: 784-512-256-10 on MNIST, batch 128, 8 models or more.

SGD with learning rate 0.1 and momentum 0.9. Ours against a plain PyTorch loop at its best number
of threads; one epoch per round is timed, and the quality is that of all epochs. The full MNIST is
used where `OVERPARAM_DATA` or another known place has it, else the embedded images.

    python benchmarks/mnist_ensemble.py [--models 8] [--epochs 10] [--rounds 3]
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch

from cells import Cell, Workers
from measuring import alternate, best_of, peak_flops, show, with_threads
from overparam.data import Dataset, load
from overparam.errors import DataError
from overparam.machine import available_cores
from overparam.models.dense import mlp
from overparam.streams import Streams
from overparam.training.recipe import Recipe
from overparam.training.stacks import step_flops
from peers import plain_loop

FRACTION = 0.7
RECIPE = Recipe(learning_rate=0.1, momentum=0.9, batch_size=128, epochs=1, precision="auto")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    train_set, test_set = images()
    cells = [member(i, train_set, test_set) for i in range(args.models)]
    workers, cores = Workers(), available_cores()
    ways = {
        "ours": lambda: workers.train(divided(cells, cores)),
        "plain, 1 thread": with_threads(1, lambda: [plain_loop(c) for c in cells]),
        f"plain, {cores} threads": with_threads(cores, lambda: [plain_loop(c) for c in cells]),
    }
    timed = alternate(ways, args.rounds)
    plain, seconds = best_of(timed, "plain")
    ratio = seconds / timed["ours"].median

    long = [replace(c, recipe=replace(RECIPE, epochs=args.epochs)) for c in cells]
    whole = alternate(
        {
            "ours": lambda: workers.train(divided(long, cores)),
            plain: with_threads(int(plain.split()[1]), lambda: [plain_loop(c) for c in long]),
        },
        rounds=1, warm_up=False,
    )  # fmt: skip
    accuracy = {k: 1 - np.mean(t.result, axis=0)[1] for k, t in whole.items()}
    ratio_of_all = whole[plain].median / whole["ours"].median

    n = len(cells[0].train_set)
    flops = len(cells) * step_flops(cells[0].model, 128, (784,)) * n / 128
    rate = flops / timed["ours"].median
    peaks = {str(d)[6:]: peak_flops(d, cores) for d in (torch.float32, torch.bfloat16)}
    show(
        "mnist_ensemble",
        f"{len(cells)} models on {n} of {train_set.name}: {ratio_of_all:.1f}x the plain loop per "
        f"model over {args.epochs} epochs (one run; {ratio:.1f}x for a single epoch, median of "
        f"{args.rounds}; {whole['ours'].median / len(cells):.1f} s a model); test accuracy after "
        f"{args.epochs} epochs {accuracy['ours']:.4f}, plain {accuracy[plain]:.4f}; "
        f"{rate / max(peaks.values()):.1%} of the machine's peak",
        seconds_per_epoch={k: t.median for k, t in timed.items()},
        seconds_of_all_epochs={k: t.median for k, t in whole.items()},
        ratio=ratio, ratio_of_all_epochs=ratio_of_all, best_plain=plain,
        test_accuracy=accuracy, n_train=n, data=train_set.name,
        epochs=args.epochs, models=len(cells), flops_per_second=rate,
        peak_flops_per_second=peaks, share_of_peak={k: rate / v for k, v in peaks.items()},
        growth={
            "models": {
                m: alternate({"ours": lambda m=m: workers.train(divided(cells[:m], cores))},
                             args.rounds, warm_up=False)["ours"].median
                for m in (1, 2, 4, 8) if m <= len(cells)
            }
        },
    )  # fmt: skip


def images() -> tuple[Dataset, Dataset]:
    """Return the full MNIST, or the embedded Fashion-MNIST images where it is not at hand."""
    try:
        return load("mnist")
    except DataError:
        return load("fashion_mnist_small")


def member(number: int, train_set: Dataset, test_set: Dataset) -> Cell:
    """Return one member of the ensemble with its own weights, subset and order."""
    streams = Streams(0).child(f"member {number}")
    rows = torch.randperm(len(train_set), generator=streams.torch("subset"))
    subset = train_set.subset(rows[: int(FRACTION * len(train_set))])
    return Cell(mlp(784, [512, 256], 10), subset, test_set, RECIPE, streams)


def divided(cells: list[Cell], n_units: int) -> list[list[Cell]]:
    """Return the cells in as many units as there are workers."""
    return [cells[i::n_units] for i in range(min(n_units, len(cells)))]


if __name__ == "__main__":
    main()
