"""Designs that the benchmarks of the lab run: nothing at all, perceptrons, convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from overparam.data import draw_subset, load_embedded
from overparam.lab.phenomenon import Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
from overparam.lab.verdict import UNKNOWN, Verdict, judge, unmeasured
from overparam.models.convolutional import convnet5
from overparam.models.dense import mlp
from overparam.streams import Streams
from overparam.training.recipe import Recipe
from overparam.training.train import train

DOC = "A design of the benchmarks.\n\nClaim: none.\n\nControl: none.\n\nSources: none."


@dataclass(frozen=True)
class Condition:
    """One cell."""

    width: int = factor(1, symbol="h", unit="units", low=0)
    n_train: int = factor(1000, symbol="n", unit="examples", low=1)
    epochs: int = factor(1, unit="epochs", low=1)


@dataclass(frozen=True)
class Outcome:
    """What it found."""

    test_error: float = quantity("fraction")


async def run_nothing(c: Condition, streams: Streams) -> Outcome:
    """Return at once: what is left is the lab's own cost."""
    return Outcome(0.5)


async def run_perceptron(c: Condition, streams: Streams) -> Outcome:
    """Train a perceptron of two hidden layers on the embedded images, traced every epoch."""
    train_set, test_set = load_embedded("fashion_mnist_small")
    train_set = draw_subset(train_set, c.n_train, streams)
    recipe = Recipe(
        optimizer="adam", learning_rate=1e-3, epochs=c.epochs, trace="every", precision="auto"
    )
    net = mlp(train_set.input_dim, [c.width, c.width], 10)
    fitted = await train(net, train_set, recipe, streams, evaluate={"test": test_set})
    return Outcome(fitted.error("test"))


async def run_convolutions(c: Condition, streams: Streams) -> Outcome:
    """Train the 5-layer CNN on the embedded images."""
    train_set, test_set = load_embedded("fashion_mnist_small")
    train_set = draw_subset(train_set, c.n_train, streams)
    net = convnet5(c.width, in_channels=1, image_size=train_set.input_shape[-1])
    recipe = Recipe(momentum=0.9, learning_rate=0.05, epochs=c.epochs, precision="auto")
    fitted = await train(net, train_set, recipe, streams, evaluate={"test": test_set})
    return Outcome(fitted.error("test"))


def summarise(records: Records) -> Mapping[str, int]:
    """Return the number of records; there is nothing to judge."""
    return {"treatment": len(list(records))}


def verdict(summary: int) -> Verdict:
    """Return a verdict that says nothing."""
    nothing = unmeasured("anything", "nothing is claimed")
    return judge([nothing], effect=UNKNOWN, unit="none", rule="nothing is claimed")


def no_figures(summaries: Mapping[str, int], records: Records) -> list:
    """Return no figures."""
    return []


def design(name: str, run: object, conditions: list[Condition], n_seeds: int = 2) -> Phenomenon:
    """Return a phenomenon of the given cells that claims nothing."""
    scale = Scale(conditions[0], n_seeds)
    return Phenomenon(
        DOC, Condition, Outcome, Cells(tuple(conditions)), run, summarise, verdict, no_figures,
        {"smoke": scale, "standard": scale, "full": scale}, name=name,
    )  # type: ignore[arg-type]  # fmt: skip


@dataclass(frozen=True)
class Cells:
    """A design that is a list of cells."""

    conditions: tuple[Condition, ...]

    def __call__(self, base: Condition) -> list[Condition]:
        return list(self.conditions)


def nothing(n_cells: int) -> Phenomenon:
    """So many cells that do nothing."""
    return design("nothing", run_nothing, [Condition(i) for i in range(n_cells)], n_seeds=1)


def perceptrons(epochs: int = 20) -> Phenomenon:
    """Perceptrons of widths 8 ... 512 on 2,000 images."""
    cells = [Condition(2**i, 2000, epochs) for i in range(3, 10)]
    return design("perceptrons", run_perceptron, cells)


def wide_perceptrons(epochs: int = 2) -> Phenomenon:
    """Six perceptrons of widths near 2,048, whose weights are what fills memory."""
    cells = [Condition(2048 - i, 1000, epochs) for i in range(6)]
    return design("wide_perceptrons", run_perceptron, cells)


def convolutions(epochs: int = 4) -> Phenomenon:
    """5-layer CNNs of k = 4, 8, 16 on 1,000 images."""
    cells = [Condition(k, 1000, epochs) for k in (4, 8, 16)]
    return design("convolutions", run_convolutions, cells)
