"""A network is not a hash table, but can be one.

Claim: Tables of exact keys and a network fit true and random labels alike. On new images the exact
    table knows nothing, while one whose keys ignore light and detail generalizes. Trained on
    random labels, the network too knows nothing of new images, and answers like nearest
    neighbours in a random projection, with stored labels; trained on true labels it is right
    where those are wrong.

Control: One-to-one data: all rows that are asked about were stored. There the exact table is right.

Falsified: If the exact table failed on new images for a reason of its own (keys that differ by
    rounding, labels that are stored wrongly), and not because they are new, it would fail on
    rows that were stored, too.

Sources: Zhang, Bengio, Hardt, Recht, Vinyals 2017 (arXiv:1611.03530) for random labels; Arpit et
    al. 2017 (arXiv:1706.05394) for the comparison of what is learned from noise and from data;
    Charikar 2002 and Johnson, Lindenstrauss 1984 for random projections.

Differs: The comparison and its bounds are this project's own. Invariant keys are average hashes of
    images, five cells along each side. Light is a contrast of 0.5 to 1.5 and a brightness
    of up to half a standard deviation. Of handwritten digits (dataset=digits) nearest neighbours
    know as much as the network, and the claim does not hold.

In practice: Before you praise a model, ask what a table would have reached: exact keys tell how
    many of your test rows are copies of training rows, keys that ignore an augmentation tell how
    far that augmentation alone takes you, and nearest neighbours tell how much is similarity of
    pixels. What your model adds to these is what it learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from overparam.data import draw_subset, random_labels
from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
from overparam.lab.verdict import (
    Clause,
    Verdict,
    exceeds,
    judge,
    lies_within,
    not_in_design,
    stays_below,
    unmeasured,
)
from overparam.models import mlp
from overparam.phenomena.memorization._hash_table_figures import (
    agreement_chart,
    answers_map,
    answers_table,
)
from overparam.phenomena.memorization._hash_table_summary import (
    CODE_BOOK,
    NEW,
    RANDOM,
    STORED,
    TRUE,
    Summary,
    summarise,
)
from overparam.phenomena.memorization._hash_tables import (
    ANSWERERS,
    EXACT,
    NETWORK,
    distance_to_stored,
    drawn_again,
    fit_table,
    in_other_light,
    load_standardised,
)
from overparam.streams import Streams
from overparam.training.fitted import predict
from overparam.training.recipe import Recipe
from overparam.training.train import train

FITTED = 0.99  # training accuracy
NEAR_CHANCE = 0.05
BETTER = 0.03  # accuracy, of the network over projected neighbours
MORE = 0.1  # accuracy, of invariant over exact keys; agreement, over that of a guess
EITHER = f"{TRUE} and {RANDOM} labels"
RULE = (
    f"Observed if these 95 % intervals of means over seeds lie where they are said: training "
    f"accuracy of the exact table and the network, the worst of true and random labels, above "
    f"{FITTED}; accuracy on new images of the exact table after true labels, and of the network "
    f"after random ones, within {NEAR_CHANCE} of chance; after true labels, accuracy on them of "
    f"invariant less exact keys above {MORE}, of network less projected neighbours above {BETTER}; "
    f"after random labels, the share of new images on which network and projected neighbours "
    f"agree, less that of guesses with their frequencies, above {MORE}. Absent if one lies outside."
)
RULE_OF_CONTROL = (
    f"Of the exact table it is claimed that it knows nothing of what it is asked: observed if the "
    f"whole 95 % interval of its accuracy on stored rows lies below chance + {NEAR_CHANCE}, absent "
    f"if it lies above."
)


@dataclass(frozen=True)
class Condition:
    """Who answers, which labels were stored, and what is asked."""

    answerer: str = factor(NETWORK, choices=ANSWERERS)
    labels: str = factor(TRUE, choices=(TRUE, RANDOM), doc="what is stored")
    asked: str = factor(NEW, choices=(NEW, STORED))
    n_train: int = factor(1000, symbol="n", unit="examples", low=20)
    n_cells: int = factor(5, unit="cells a side, of invariant keys", low=1, high=8)
    n_directions: int = factor(64, symbol="p", unit="directions", low=1)
    width: int = factor(256, symbol="k", unit="hidden units", low=1)
    learning_rate: float = factor(0.05, symbol="eta", low=1e-8)
    batch_size: int = factor(100, unit="examples", low=1)
    max_epochs: int = factor(150, unit="passes", low=1)
    dataset: str = factor(
        "fashion_mnist_small", choices=("fashion_mnist_small", "digits", "fashion_mnist", "cifar10")
    )


@dataclass(frozen=True)
class Outcome:
    """Errors of the answers, and the answers on what is asked."""

    train_error: float = quantity("fraction wrong, of the labels stored")
    relit_error: float = quantity("fraction wrong, of the labels stored, in other light")
    test_error: float = quantity("fraction wrong, of what is asked")
    answers: np.ndarray = quantity("class of each row that is asked")
    distance: np.ndarray = quantity("to the nearest stored row; projected neighbors only")


def cells(base: Condition) -> list[Condition]:
    """Span who answers and the labels; table and network also where all that is asked is stored."""
    treated = [replace(base, answerer=a, labels=kind) for a in ANSWERERS for kind in (TRUE, RANDOM)]
    book = replace(base, labels=RANDOM, asked=STORED)
    return [*treated, *(replace(book, answerer=a) for a in (EXACT, NETWORK))]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Store one seed's labels, and ask about stored rows, the same in other light, and new ones."""
    # Data
    train_set, new = load_standardised(c.dataset)
    train_set = draw_subset(train_set, c.n_train, streams, balanced=True)
    if c.labels == RANDOM:
        train_set = random_labels(train_set, streams)
    asked = new if c.asked == NEW else drawn_again(train_set, len(new), streams)
    inputs = [train_set.inputs, in_other_light(train_set.inputs, streams), asked.inputs]
    # Model
    distance = np.empty(0, np.float32)
    if c.answerer == NETWORK:
        model = mlp(train_set.input_dim, c.width, train_set.n_outputs)
        fitted = await train(model, train_set, recipe(c), streams)
        scores = [await predict(fitted, x) for x in inputs]
    else:
        table = fit_table(c.answerer, train_set, c.n_cells, c.n_directions, streams)
        scores = [table.predict(x) for x in inputs]
        distance = distance_to_stored(table, asked.inputs)
    # Measures
    stored, relit, answers = (s.numpy().argmax(1) for s in scores)
    labels = train_set.labels.numpy()
    return Outcome(
        train_error=float((stored != labels).mean()),
        relit_error=float((relit != labels).mean()),
        test_error=float((answers != asked.labels.numpy()).mean()),
        answers=answers.astype(np.int16),
        distance=distance,
    )


def recipe(c: Condition) -> Recipe:
    """Return the network's recipe, which ends where all is fitted."""
    return Recipe(
        learning_rate=c.learning_rate,
        momentum=0.9,
        epochs=c.max_epochs,
        batch_size=c.batch_size,
        stop_at_error=0.0,
        trace="every",
        precision="auto",
    )


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to new images, and `RULE_OF_CONTROL` to stored rows."""
    if summary.arm == CODE_BOOK:
        return _judge_code_book(summary)
    return judge(
        clauses(summary),
        effect=summary.network_gain,
        unit="accuracy of the network less that of projected neighbors, true labels",
        rule=RULE,
        reason=(
            f"On new images the exact table is right on {summary.exact} (chance: "
            f"{summary.chance:g}), invariant keys on {summary.invariant_gain} more. After random "
            f"labels the network is right on {summary.random} of them, and agrees with projected "
            f"neighbors on {summary.agreement} more than guesses; after true labels it is right on "
            f"{summary.network_gain} more than they are."
        ),
    )


def _judge_code_book(summary: Summary) -> Verdict:
    accuracy, bound = summary.exact, summary.chance + NEAR_CHANCE
    what = "accuracy of the exact table on stored rows"
    clause = stays_below(what, accuracy, bound)
    return judge(
        [clause if summary.has_cells else unmeasured(what, "no control was run")],
        effect=accuracy,
        unit="fraction right",
        rule=RULE_OF_CONTROL,
        reason=f"The exact table is right on {accuracy} of the stored rows, the network on "
        f"{summary.random}.",
    )


def clauses(summary: Summary) -> list[Clause]:
    """Return what the claim demands."""
    chance = (summary.chance - NEAR_CHANCE, summary.chance + NEAR_CHANCE)
    exact = "accuracy of the exact table on new images"
    worst = f"worst training accuracy of exact table and network, {EITHER}"
    return [
        exceeds(worst, summary.fitted, FITTED),
        lies_within(exact, summary.exact, *chance),
        exceeds("accuracy of invariant keys less that", summary.invariant_gain, MORE),
        lies_within("accuracy of the network after random labels", summary.random, *chance),
        exceeds("its agreement with projected neighbors, less chance", summary.agreement, MORE),
        exceeds("accuracy of network less projected neighbors", summary.network_gain, BETTER),
        *map(not_in_design, summary.left_out),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw who is right on what, agreement by distance, and the numbers."""
    found = summaries[TREATMENT]
    return [
        answers_map(records, clauses(found), found.left_out),
        *agreement_chart(records, found.agreement, found.left_out),
        answers_table(records),
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
    controls=(CODE_BOOK,),
    scales={
        "smoke": Scale(Condition(n_train=300, batch_size=60), n_seeds=3),
        "standard": Scale(Condition(), n_seeds=8),
        "full": Scale(
            Condition(n_train=10_000, width=1024, dataset="fashion_mnist"),
            n_seeds=5,
            note="a sixth of the training images of Fashion-MNIST",
        ),
    },
)
