"""Overfitting leaks which rows a model was trained on.

Claim: The advantage of an attacker who guesses from a network's loss whether a row was in its
    training set grows with the generalization gap along training, and with capacity; it sits in
    the rows that are memorized; and of rows of which a twin stays in the training set, it falls.

Control: Rows that no model was trained on, cut in two as if half of them had been: the same
    attack on the same networks has no advantage.

Falsified: If the attack told halves apart by anything but training (if one of them held the easier
    rows, or if choosing a threshold found a difference in noise), it would do so among rows
    that no model was trained on, too.

Sources: Yeom, Giacomelli, Fredrikson, Jha 2018 (arXiv:1709.01604) for the attack and its advantage;
    Carlini et al. 2022 (arXiv:2112.03570) for targets on random halves; Feldman, Zhang 2020
    (arXiv:2008.03703) for memorization.

Differs: 600 images of Fashion-MNIST and perceptrons with one hidden layer; bounds are this
    project's own. A row is memorized where, of half of the models, those that saw it are by 50
    points of accuracy better on it; the other half is attacked.

In practice: A gap between training and test error tells not only that you overfit: it is the
    least that an outsider learns about who was in your data. Stop earlier, or take a smaller
    model, and both fall. An attack that finds little on average says nothing of the rows that are
    memorized. And before you call a row safe, look for its twins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from overparam.data import Dataset, draw_subset, draw_subsets, load, standardise
from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
from overparam.lab.verdict import (
    Clause,
    Verdict,
    exceeds,
    judge,
    not_in_design,
    premise,
    stays_below,
    unmeasured,
)
from overparam.measures import estimate_advantage, loss_scores
from overparam.models import mlp
from overparam.phenomena.memorization._leak_figures import groups_table, leak_chart, roc_chart
from overparam.phenomena.memorization._leak_summary import (
    ONCE,
    TWINS,
    UNSEEN,
    Summary,
    summarise,
)
from overparam.streams import Streams
from overparam.training.fitted import predict
from overparam.training.recipe import Recipe
from overparam.training.train import train

RATIO = 0.5  # of the rows in a subset
TWIN_SHARE = 0.2  # of the rows
WIDTHS = (1 / 64, 1 / 16, 1 / 4, 1)  # of the largest
LENGTHS = (1 / 32, 1 / 8, 1 / 2, 1)  # of the longest training
SMALLEST = 0.05  # advantage, or difference of two
SLOPE = 0.5  # advantage per gap; it is 1 where all that leaks is which rows are right
NOT_RUN = "no control was run"
RULE = (
    f"Advantage is TPR - FPR of the threshold on the loss that is best on other rows or models. "
    f"Observed if these 95 % intervals of means over seeds lie above {SMALLEST}: the advantage "
    f"against the largest network; that less the advantage against the smallest; the advantage on "
    f"memorized rows less that on all others; that on some rows less that on the same rows while "
    f"twins of them stay in training; and if that of the slope of advantage over generalization "
    f"gap along training lies above {SLOPE}; and if the largest fall of the advantage from one "
    f"width to the next, and from one length of training to the next, lie below {SMALLEST}. "
    f"Absent if one lies on the other side. Inconclusive where the gap does not grow along "
    f"training by more than {SMALLEST}."
)
RULE_OF_CONTROL = (
    f"Observed if the whole 95 % interval of the mean advantage of the same attack on the largest "
    f"network, on rows of which none was trained on, lies above {SMALLEST}; absent if it lies "
    f"below."
)


@dataclass(frozen=True)
class Condition:
    """One of K models on random halves of the rows: its width, its training, its twins."""

    width: int = factor(128, symbol="k", unit="hidden units", low=1)
    epochs: int = factor(64, unit="passes", low=1)
    copies: str = factor(ONCE, choices=(ONCE, TWINS))
    member: int = factor(0, unit="of the models", low=0, instead="n_models")
    n_models: int = factor(8, symbol="K", unit="models", low=4, high=1000)
    n_rows: int = factor(600, symbol="n", unit="rows, half of them in each subset", low=20)
    learning_rate: float = factor(0.05, symbol="eta", low=1e-8)
    batch_size: int = factor(50, unit="examples", low=1)
    dataset: str = factor(
        "fashion_mnist_small", choices=("fashion_mnist_small", "fashion_mnist", "cifar10")
    )


@dataclass(frozen=True)
class Outcome:
    """Errors, what the attack gains, and what it sees of every row."""

    train_error: float = quantity("fraction wrong, of the rows trained on")
    test_error: float = quantity("fraction wrong, of rows not trained on")
    advantage: float = quantity("TPR - FPR, rows trained on against rows left out")
    unseen_advantage: float = quantity("TPR - FPR, among rows that no model was trained on")
    loss: np.ndarray = quantity("nats, of each row")
    correct: np.ndarray = quantity("whether the model is right on the row")
    in_subset: np.ndarray = quantity("whether the row was in the model's subset")
    has_twin: np.ndarray = quantity("whether a twin of the row stays, where twins do")


def cells(base: Condition) -> list[Condition]:
    """Span widths, lengths of training at the largest, and twins; each with all the models."""
    widths = sorted({max(1, round(share * base.width)) for share in WIDTHS})
    lengths = sorted({max(1, round(share * base.epochs)) for share in LENGTHS})
    levels = [replace(base, width=k) for k in widths]
    levels += [replace(base, epochs=t) for t in lengths]
    levels += [replace(base, copies=TWINS)]
    members = range(base.n_models)
    return list(dict.fromkeys(replace(c, member=m) for c in levels for m in members))


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one network on half of one seed's rows, and attack it."""
    # Data
    rows, unseen = draw_rows(c, streams)
    in_subset = draw_subsets(c.n_models, c.n_rows, RATIO, streams)[c.member]
    has_twin = np.zeros(c.n_rows, dtype=bool)
    has_twin[streams.numpy("twins").permutation(c.n_rows)[: round(TWIN_SHARE * c.n_rows)]] = True
    kept = has_twin if c.copies == TWINS else np.zeros_like(has_twin)
    trained = np.concatenate([np.flatnonzero(in_subset), np.flatnonzero(kept)])
    # Model and training
    model = mlp(rows.input_dim, c.width, rows.n_outputs)
    subset = rows.subset(torch.from_numpy(trained), f"[subset {c.member}]")
    fitted = await train(model, subset, recipe(c), streams.child(f"member {c.member}"))
    loss, correct = losses_of(await predict(fitted, rows.inputs), rows.labels)
    unseen_loss, unseen_correct = losses_of(await predict(fitted, unseen.inputs), unseen.labels)
    # Measures
    left_out = np.concatenate([correct[~in_subset & ~kept], unseen_correct])
    return Outcome(
        train_error=fitted.train_error,
        test_error=float(1 - left_out.mean()),
        advantage=estimate_advantage(loss_scores(loss), in_subset).advantage,
        # As if the other rows had been dealt as those were: they are as many.
        unseen_advantage=estimate_advantage(loss_scores(unseen_loss), in_subset).advantage,
        loss=loss.astype(np.float32),
        correct=correct,
        in_subset=in_subset,
        has_twin=has_twin,
    )


def draw_rows(c: Condition, streams: Streams) -> tuple[Dataset, Dataset]:
    """Return n rows of which subsets are drawn, and as many that no model is trained on."""
    train_set, _ = standardise(*load(c.dataset))
    drawn = draw_subset(train_set, 2 * c.n_rows, streams, balanced=True)
    order = torch.arange(2 * c.n_rows)
    return drawn.subset(order[: c.n_rows]), drawn.subset(order[c.n_rows :])


def losses_of(outputs: torch.Tensor, labels: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the cross-entropy of each row, in nats, and whether it is right."""
    loss = torch.nn.functional.cross_entropy(outputs.double(), labels, reduction="none")
    return loss.numpy(), (outputs.argmax(1) == labels).numpy()


def recipe(c: Condition) -> Recipe:
    """Return the one recipe of all networks."""
    return Recipe(
        learning_rate=c.learning_rate,
        momentum=0.9,
        epochs=c.epochs,
        batch_size=c.batch_size,
        precision="auto",
    )


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to rows trained on, and `RULE_OF_CONTROL` to rows never trained on."""
    if summary.arm == UNSEEN:
        what = "advantage among rows never trained on"
        clause = exceeds(what, summary.largest, SMALLEST)
        return judge(
            [clause if summary.has_cells else unmeasured(what, NOT_RUN)],
            effect=summary.largest,
            unit="TPR - FPR",
            rule=RULE_OF_CONTROL,
            reason=f"Advantage among rows that no model was trained on: {summary.largest}.",
        )
    return judge(
        clauses(summary),
        effect=summary.largest,
        unit="TPR - FPR against the largest network",
        rule=RULE,
        reason=(
            f"Advantage against the largest network {summary.largest}, by {summary.growth} more "
            f"than against the smallest; along training it grows by {summary.slope} per gap. On "
            f"memorized rows {summary.memorized}, on all others {summary.others}. On rows without "
            f"twins {summary.alone}, on the same while twins stay {summary.with_twin}."
        ),
    )


def clauses(summary: Summary) -> list[Clause]:
    """Return what the claim demands."""
    return [
        exceeds("advantage against the largest network", summary.largest, SMALLEST),
        exceeds("that less the advantage against the smallest", summary.growth, SMALLEST),
        stays_below("largest fall of it to the next wider network", summary.fall, SMALLEST),
        stays_below("largest fall of it to the next longer training", summary.fall_along, SMALLEST),
        exceeds("slope of advantage over gap along training", summary.slope, SLOPE),
        exceeds("advantage on memorized rows less others", summary.concentration, SMALLEST),
        exceeds("advantage on rows less that while twins stay", summary.hiding, SMALLEST),
        premise(exceeds("growth of the gap along training", summary.gap_growth, SMALLEST)),
        *map(not_in_design, summary.left_out),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw advantage over width and along training, the ROC curve, and the groups of rows."""
    found = summaries[TREATMENT]
    return [
        *leak_chart(records, clauses(found)),
        *roc_chart(records),
        groups_table(found, summaries[UNSEEN].largest),
    ]


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    controls=(UNSEEN,),
    scales={
        "smoke": Scale(Condition(n_rows=200, epochs=32, n_models=4), n_seeds=3),
        "standard": Scale(Condition(), n_seeds=6),
        "full": Scale(
            Condition(
                width=1024,
                n_rows=25_000,
                n_models=16,
                epochs=100,
                batch_size=256,
                dataset="cifar10",
            ),
            n_seeds=3,
            note="half of CIFAR-10, as Carlini et al. 2022, who train wide residual networks",
        ),
    },
)
