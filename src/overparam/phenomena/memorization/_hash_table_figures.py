"""Figures of tables and networks that are asked about stored and new rows.

Records are those of cells with the outcomes of `overparam.phenomena.memorization.hash_table`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overparam.data.entries import entry_of
from overparam.lab.figure import Axis, Chart, HeatMap, Panel, Role, Rule, Series, Table
from overparam.lab.records import Records
from overparam.lab.series import series_over_seeds
from overparam.lab.statistics import mean_interval
from overparam.lab.verdict import Clause, Interval, shown
from overparam.phenomena.memorization._hash_table_summary import NEW, RANDOM, TRUE
from overparam.phenomena.memorization._hash_tables import ANSWERERS, NEIGHBORS, NETWORK

ASKED = {"train_error": "stored", "relit_error": "in other light", "test_error": "new"}
KINDS = (TRUE, RANDOM)
N_QUARTERS = 4


def answers_map(records: Records, clauses: Sequence[Clause], left_out: Sequence[str]) -> HeatMap:
    """Return who is right on what, a panel for each kind of labels."""
    records = _on_new_images(records)
    panels, notes = [], []
    for kind in KINDS:
        values = [[_errors(records, a, kind, f) for f in ASKED] for a in ANSWERERS]
        panels.append((f"{kind} labels", np.array([[1 - _mean(v) for v in row] for row in values])))
        notes.append([[_told(v) for v in row] for row in values])
    return HeatMap(
        "answers",
        "Exact keys know nothing of new images, and a network trained on random labels no more"
        if shown(*clauses) and not left_out
        else "Who is right about stored rows, the same in other light, and new images",
        "Share of right answers. Every answerer but the invariant table, in which images share "
        "keys, is right on what it stored, whatever the labels. About random labels of new images "
        "there is nothing to know. In other light: the stored images with contrast and "
        "brightness of their own each.",
        Axis("What is asked"),
        Axis("Who answers"),
        list(ANSWERERS),
        panels,
        "Right answers",
        "fraction",
        x_labels=list(ASKED.values()),
        notes=notes,
    )


def agreement_chart(records: Records, agreement: Interval, left_out: Sequence[str]) -> list[Chart]:
    """Return how often network and projected neighbors agree, by distance; or no chart."""
    found = _on_new_images(records)
    lines = [line for kind in KINDS for line in _agreement_line(found, kind)]
    if not lines:
        return []
    more = f"on {agreement.estimate:.0%} more of the new images than guesses do"
    whole = agreement.is_whole and not left_out
    return [
        Chart(
            "agreement",
            f"After random labels, network and projected neighbors agree {more}"
            if whole
            else "How often network and projected neighbors agree, by distance",
            "New images are cut in quarters by the distance to their nearest stored row in the "
            "projection, nearest first. After random labels a network that had learned something "
            "of them would have no reason to answer with what happens to be stored nearby.",
            [
                Panel(
                    "",
                    Axis(
                        "New images, from the nearest to the farthest",
                        "percent, middle of a quarter",
                    ),
                    Axis("Same answer", "fraction of new images", zero=True),
                    lines,
                    [Rule(1 / entry_of(records[0].condition.dataset).n_classes, "chance", "y")],
                )
            ],
        )
    ]


def answers_table(records: Records) -> Table:
    """Return the numbers behind the map, those on stored rows included."""
    columns: dict[str, list[str]] = {}
    kinds = [(r.condition.answerer, r.condition.labels, r.condition.asked) for r in records]
    n_test = entry_of(records[0].condition.dataset).n_test
    for answerer, kind, asked in dict.fromkeys(kinds):
        own = records.where(asked=asked)
        cells = {"who answers": answerer, "labels": f"{kind} labels", "asked": asked}
        for field, step in (
            ("train_error", 1 / records[0].condition.n_train),
            ("relit_error", 1 / records[0].condition.n_train),
            ("test_error", 1 / n_test),
        ):
            errors = 1 - _errors(own, answerer, kind, field)
            cells[HEADERS[field]] = str(mean_interval(errors, step=step, bounds=(0, 1)))
        for header, text in cells.items():
            columns.setdefault(header, []).append(text)
    return Table(
        "numbers",
        "Shares of right answers",
        "Mean over seeds with 95 % interval.",
        columns,
        dict.fromkeys(HEADERS.values(), "fraction right"),
    )


HEADERS = {
    "train_error": "on what was stored",
    "relit_error": "in other light",
    "test_error": "on what is asked",
}


def _agreement_line(records: Records, kind: str) -> list[Series]:
    of = {(r.seed, r.condition.answerer): r for r in records.where(labels=kind) if r.is_measured}
    values = np.full((N_QUARTERS, len(records.seeds)), np.nan)
    for column, seed in enumerate(records.seeds):
        network, table = of.get((seed, NETWORK)), of.get((seed, NEIGHBORS))
        if network is None or table is None:
            continue
        same = np.asarray(network.outcome.answers) == np.asarray(table.outcome.answers)
        near = np.argsort(np.asarray(table.outcome.distance), kind="stable")
        values[:, column] = [same[part].mean() for part in np.array_split(near, N_QUARTERS)]
    if not np.isfinite(values).any():
        return []
    middles = 100 * (np.arange(N_QUARTERS) + 0.5) / N_QUARTERS
    role: Role = "test" if kind == RANDOM else "other"
    return [series_over_seeds(f"{kind} labels", role, middles, values, "mean", bounds=(0, 1))]


def _on_new_images(records: Records) -> Records:
    return records.where(asked=NEW)


def _errors(records: Records, answerer: str, kind: str, field: str) -> np.ndarray:
    return np.array([float(r.value(field)) for r in records.where(answerer=answerer, labels=kind)])


def _mean(values: np.ndarray) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else np.nan


def _told(values: np.ndarray) -> str:
    present = 1 - values[~np.isnan(values)]
    if not len(present):
        return "nothing is known"
    return f"mean of {len(present)} seeds; least {present.min():.3f}, most {present.max():.3f}"
