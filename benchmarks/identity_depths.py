"""Convolutional networks of depths 3 ... 20 that learn to return one image, as a study trains them.

The identity task at its standard size: one 14 x 14 image, 32 channels, 5 x 5, Adam, float32; a
fixed number of updates. Ours against a plain PyTorch loop, and against all depths side by side:
layer l of every network that has one, in one batched matrix product over unfolded patches, which
is how a stack of unlike depths would have to run.

    python benchmarks/identity_depths.py [--depths 3 7 12 20] [--seeds 2] [--steps 200]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cells import Cell, Workers
from measuring import alternate, best_of, peak_flops, show, with_threads
from overparam.machine import available_cores
from overparam.models import same_convnet
from overparam.phenomena.identity._task import LEARNING_RATE, make_identity_task
from overparam.streams import Streams
from overparam.training.initialise import materialise
from overparam.training.recipe import Recipe
from overparam.training.request import solve_all
from overparam.training.stacks import step_flops
from overparam.training.train import train

SIDE, CHANNELS = 14, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--depths", type=int, nargs="+", default=[3, 7, 12, 20])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    recipe = Recipe(
        loss="squared_error", optimizer="adam", learning_rate=LEARNING_RATE, steps=args.steps,
        batch_size=None,
    )  # fmt: skip
    cells = [
        Cell(same_convnet(depth, CHANNELS), data, data, recipe, Streams(seed))
        for seed in range(args.seeds)
        for data in [make_identity_task(Streams(seed), SIDE).train_set]
        for depth in args.depths
    ]
    cores, workers = available_cores(), Workers()
    ways = {
        "ours": lambda: workers.train([[c] for c in cells], "identity_depths:train_losses"),
        "ours, 1 thread": with_threads(1, lambda: train_losses(cells, lambda done: None)),
        "side by side, 1 thread": with_threads(1, lambda: side_by_side(cells)),
        "plain, 1 thread": with_threads(1, lambda: [plain(c) for c in cells]),
        f"plain, {cores} threads": with_threads(cores, lambda: [plain(c) for c in cells]),
    }
    timed = alternate(ways, args.rounds, warm_up=False)
    loop, seconds = best_of(timed, "plain")
    ours = timed["ours"].median
    side = timed["side by side, 1 thread"].median / timed["plain, 1 thread"].median
    flops = args.steps * sum(step_flops(c.model, 1, (1, SIDE, SIDE)) for c in cells)
    peak = peak_flops(torch.float32, cores)
    losses = {name: max(t.result) for name, t in timed.items()}
    show(
        "identity_depths",
        f"{len(cells)} networks of {args.depths} layers: {seconds / ours:.1f}x the {loop} loop, "
        f"{flops / ours / peak:.0%} of the float32 peak; all depths side by side would take "
        f"{side:.2f} times as long as one by one (largest loss: ours {losses['ours']:.2g}, "
        f"plain {losses[loop]:.2g}, side by side {losses['side by side, 1 thread']:.2g})",
        ratio=seconds / ours, best_plain=loop, side_by_side_over_one_by_one=side,
        seconds={name: t.median for name, t in timed.items()}, losses=losses,
        flops_per_second=flops / ours, peak_flops_per_second=peak,
        share_of_peak=flops / ours / peak,
        depths=args.depths, seeds=args.seeds, steps=args.steps,
    )  # fmt: skip


def train_losses(cells: Sequence[Cell], report: Callable[[float], None]) -> list[float]:
    """Return the training loss of each cell, trained by the engine."""
    made = [train(c.model, c.train_set, c.recipe, c.streams) for c in cells]
    return [fitted.train_loss for fitted in solve_all(made)]


def plain(cell: Cell) -> float:
    """Train with PyTorch's own Adam, and return the training loss."""
    module = materialise(cell.model, cell.streams, torch.float32)
    optimizer = torch.optim.Adam(module.parameters(), lr=cell.recipe.learning_rate)
    inputs, targets = cell.train_set.inputs, cell.train_set.labels
    for _ in range(cell.recipe.steps or 0):
        optimizer.zero_grad()
        (module(inputs) - targets).square().sum().backward()
        optimizer.step()
    with torch.no_grad():
        return float((module(inputs) - targets).square().sum())


def side_by_side(cells: Sequence[Cell]) -> list[float]:
    """Train all networks at once, layer by layer, and return their training losses."""
    deepest_first = sorted(cells, key=lambda c: -len(convolutions(c.model)))
    nets = [materialise(c.model, c.streams, torch.float32) for c in deepest_first]
    depths = [len(convolutions(net)) for net in nets]
    hidden, last = [], {}
    for layer in range(max(depths)):
        # Deepest first, so the networks that go on after this layer are the first of the stack.
        going_on = [net for net, depth in zip(nets, depths, strict=True) if depth > layer + 1]
        ending = [net for net, depth in zip(nets, depths, strict=True) if depth == layer + 1]
        hidden.append(stacked(going_on, layer) if going_on else None)
        last[layer] = stacked(ending, layer) if ending else None
    parameters = [w for w in (*hidden, *last.values()) if w is not None]
    optimizer = torch.optim.Adam(parameters, lr=cells[0].recipe.learning_rate)
    inputs = torch.cat([c.train_set.inputs for c in deepest_first])
    targets = torch.cat([c.train_set.labels for c in deepest_first])

    def losses() -> Tensor:
        x, found = inputs, []
        for layer, weights in enumerate(hidden):
            patches = F.unfold(x, 5, padding=2)  # [M, channels x 25, pixels]
            n = 0 if weights is None else len(weights)
            if last[layer] is not None:
                found.insert(0, torch.bmm(last[layer], patches[n:]).flatten(1))
            if weights is not None:
                x = torch.bmm(weights, patches[:n]).relu().unflatten(2, (SIDE, SIDE))
        return (torch.cat(found) - targets).square().sum(1)

    for _ in range(cells[0].recipe.steps or 0):
        optimizer.zero_grad()
        losses().sum().backward()
        optimizer.step()
    with torch.no_grad():
        return losses().tolist()


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [part for part in module if isinstance(part, nn.Conv2d)]


def stacked(nets: Sequence[nn.Module], layer: int) -> Tensor:
    weights = [convolutions(net)[layer].weight.detach().flatten(1) for net in nets]
    return torch.stack(weights).requires_grad_(True)


if __name__ == "__main__":
    main()
