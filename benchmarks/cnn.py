"""The 5-layer CNN of widths k = 4 ... 16 on 32 x 32 images, batch 128.

SGD with learning rate 0.05 and momentum 0.9, CIFAR-10's first batch where `OVERPARAM_DATA` has it,
else random images of its shape (then the errors say nothing). Ours, one model at a time on each
worker, against a plain PyTorch loop at its best number of threads.

    python benchmarks/cnn.py [--widths 4 8 16] [--seeds 2] [--rows 5000] [--epochs 2] [--rounds 3]
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch

from cells import Cell, Workers
from measuring import alternate, best_of, peak_flops, show, with_threads
from overparam.data import Dataset, load, make_dataset, standardise
from overparam.errors import DataError
from overparam.machine import available_cores
from overparam.models.convolutional import convnet5
from overparam.streams import Streams
from overparam.training.recipe import Recipe
from overparam.training.stacks import step_flops
from peers import plain_loop

RECIPE = Recipe(learning_rate=0.05, momentum=0.9, batch_size=128, epochs=1, precision="auto")
N_TEST = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    train_set, test_set = images(args.rows)
    recipe = replace(RECIPE, epochs=args.epochs)
    workers, cores = Workers(), available_cores()
    peaks = {str(d)[6:]: peak_flops(d, cores) for d in (torch.float32, torch.bfloat16)}
    by_width, texts = {}, []
    for k in args.widths:
        cells = [
            Cell(convnet5(k), train_set, test_set, recipe, Streams(seed))
            for seed in range(args.seeds)
        ]
        ways = {
            "ours": lambda cells=cells: workers.train([[c] for c in cells]),
            "plain, 1 thread": with_threads(1, lambda cells=cells: [plain_loop(c) for c in cells]),
            f"plain, {cores} threads": with_threads(
                cores, lambda cells=cells: [plain_loop(c) for c in cells]
            ),
        }
        timed = alternate(ways, args.rounds, warm_up=False)
        plain, seconds = best_of(timed, "plain")
        ours = timed["ours"].median
        flops = len(cells) * step_flops(convnet5(k), 128, (3, 32, 32)) * args.rows / 128
        rate = flops * args.epochs / ours
        errors = {w: float(np.mean(t.result, axis=0)[1]) for w, t in timed.items()}
        texts.append(
            f"k={k} {seconds / ours:.1f}x (test error {errors['ours']:.3f}, plain "
            f"{errors[plain]:.3f}, {rate / max(peaks.values()):.0%} of peak)"
        )
        by_width[k] = {
            "ratio": seconds / ours, "best_plain": plain, "test_error": errors,
            "seconds": {w: t.median for w, t in timed.items()}, "flops_per_second": rate,
            "share_of_peak": {d: rate / p for d, p in peaks.items()},
        }  # fmt: skip
    show(
        "cnn", f"5-layer CNN on {train_set.name}: " + "; ".join(texts),
        by_width=by_width, peak_flops_per_second=peaks, data=train_set.name, rows=args.rows,
        epochs=args.epochs, seeds=args.seeds,
    )  # fmt: skip


def images(n: int) -> tuple[Dataset, Dataset]:
    """Return the first n images of CIFAR-10, or random ones where it is not at hand."""
    try:
        train_set, test_set = load("cifar10")
        return standardise(train_set.head(n), test_set.head(N_TEST))
    except DataError:
        generator = Streams(0).torch("data")
        rows = n + N_TEST
        whole = make_dataset(
            torch.randn(rows, 3, 32, 32, generator=generator),
            torch.randint(0, 10, (rows,), generator=generator),
            name="random images",
        )
        return whole.head(n), whole.subset(torch.arange(n, rows))


if __name__ == "__main__":
    main()
