"""The perceptron sweep, the MNIST ensemble and a CNN on a GPU, against the same loop on that GPU.

Ours as `overparam run --device cuda` runs it: one process, all models of the work as stacks, and
the updates of a stack recorded and replayed. The plain loop holds data and weights on the GPU,
one model after the other; of the ensemble it trains a few, scaled up. JAX maps and scans the seeds
of each width; compiling is outside its time.

    python benchmarks/on_gpu.py [--epochs 5] [--rounds 3] [--models 64] [--skip-jax]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

import cnn
import mlp_widths
import mnist_ensemble
from cells import Cell
from measuring import Timed, alternate, show
from overparam.models.convolutional import convnet5
from overparam.streams import Streams
from overparam.training.request import Context, solve_all
from overparam.training.stacks import step_flops
from overparam.training.train import train
from peers import JaxMapped, plain_loop

_SAMPLED = 4  # models of the ensemble that the plain loop trains
_PEAK_SIZE, _PEAK_REPEATS = 8192, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", type=int, default=64)
    parser.add_argument("--skip-jax", action="store_true")
    args = parser.parse_args()
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    peaks = {str(d)[6:]: peak_flops(d) for d in (torch.float32, torch.bfloat16)}
    works = {
        "sweep": lambda: sweep(args.epochs, args.rounds),
        "ensemble": lambda: ensemble(args.models, args.epochs, args.rounds),
        "cnn": lambda: convolutional(args.rounds),
    }
    if not args.skip_jax:  # on every third width, or compiling would take longer than the rest
        works["sweep with jax"] = lambda: sweep(args.epochs, args.rounds, every=3, with_jax=True)
    found = {}
    for name, work in works.items():
        found[name] = work()
        print(name, found[name], flush=True)
    show(
        "on_gpu",
        "; ".join(
            f"{name}: {work['ratio']:.1f}x the plain loop, test error {work['error']:.3f} (plain "
            f"{work['plain_error']:.3f}), {work['flops_per_second'] / max(peaks.values()):.1%} of "
            "the peak"
            for name, work in found.items()
        ),
        gpu=torch.cuda.get_device_name(), peak_flops_per_second=peaks, works=found,
    )  # fmt: skip


def sweep(epochs: int, rounds: int, every: int = 1, with_jax: bool = False) -> dict[str, Any]:
    """The 19 widths x 4 seeds of `mlp_widths.py`, or some of the widths."""
    recipe = replace(mlp_widths.RECIPE, epochs=epochs)
    widths = mlp_widths.WIDTHS[::every]
    seeds = [mlp_widths.seed_cells(seed, widths, recipe) for seed in range(4)]
    cells = [c for s in seeds for c in s]
    ways = {"ours": lambda: ours(cells), "plain": lambda: on_gpu(cells)}
    if with_jax:
        mapped = [JaxMapped(some) for some in zip(*seeds, strict=True)]
        ways["jax"] = lambda: [errors for width in mapped for errors in width()]
    return _told(alternate(ways, rounds), cells, (40,))


def ensemble(n_models: int, epochs: int, rounds: int) -> dict[str, Any]:
    """The members of `mnist_ensemble.py`; the plain loop trains the first few."""
    sets = mnist_ensemble.images()
    cells = [mnist_ensemble.member(i, *sets) for i in range(n_models)]
    cells = [replace(c, recipe=replace(c.recipe, epochs=epochs)) for c in cells]
    few = cells[:_SAMPLED]
    ways = {"ours": lambda: ours(cells), "plain": lambda: on_gpu(few)}
    timed = alternate(ways, rounds)
    sampled = timed["plain"]
    scaled = tuple(s * n_models / len(few) for s in sampled.seconds)
    return _told({**timed, "plain": Timed(scaled, sampled.result)}, cells, (784,))


def convolutional(rounds: int, k: int = 16, n_rows: int = 5000, n_seeds: int = 2) -> dict[str, Any]:
    """The CNN of `cnn.py`, two seeds of one width."""
    sets = cnn.images(n_rows)
    recipe = replace(cnn.RECIPE, epochs=2)
    cells = [Cell(convnet5(k), *sets, recipe, Streams(seed)) for seed in range(n_seeds)]
    ways = {"ours": lambda: ours(cells), "plain": lambda: on_gpu(cells)}
    return _told(alternate(ways, rounds), cells, (3, 32, 32))


def ours(cells: Sequence[Cell]) -> list[tuple[float, float]]:
    """Train all cells side by side on the GPU."""
    requests = [
        train(c.model, c.train_set, c.recipe, c.streams, evaluate={"test": c.test_set})
        for c in cells
    ]
    context = Context(torch.device("cuda"), memory_bytes=16 << 30)
    return [(f.train_error, f.error("test")) for f in solve_all(requests, context)]


def on_gpu(cells: Sequence[Cell]) -> list[tuple[float, float]]:
    """Train one after the other by the plain loop."""
    return [plain_loop(c, "cuda") for c in cells]


def peak_flops(dtype: torch.dtype) -> float:
    """Return operations per second of the GPU's own products of random matrices."""
    left, right = (
        torch.randn(_PEAK_SIZE, _PEAK_SIZE, device="cuda", dtype=dtype) for _ in range(2)
    )
    left @ right
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(_PEAK_REPEATS):
        left @ right
    end.record()
    torch.cuda.synchronize()
    return _PEAK_REPEATS * 2 * _PEAK_SIZE**3 / (start.elapsed_time(end) / 1e3)


def _told(timed: dict[str, Timed], cells: Sequence[Cell], shape: tuple[int, ...]) -> dict[str, Any]:
    recipe, n = cells[0].recipe, len(cells[0].train_set)
    batch = recipe.batch_size or n
    flops = sum(step_flops(c.model, batch, shape) for c in cells) * n / batch * recipe.epochs
    errors = {name: float(np.mean(t.result, axis=0)[1]) for name, t in timed.items()}
    seconds = {name: t.median for name, t in timed.items()}
    return {
        "models": len(cells), "epochs": recipe.epochs, "seconds": seconds,
        "rounds": {name: t.seconds for name, t in timed.items()},
        "ratio": seconds["plain"] / seconds["ours"],
        "ratio_to_jax": seconds["jax"] / seconds["ours"] if "jax" in seconds else None,
        "error": errors["ours"], "plain_error": errors["plain"], "errors": errors,
        "flops_per_second": flops / seconds["ours"],
    }  # fmt: skip


if __name__ == "__main__":
    main()
