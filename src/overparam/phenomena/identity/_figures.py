"""Figures of the identity task: what networks make of unseen images, and how near to which map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from overparam.lab.figure import (
    Axis,
    Chart,
    HeatMap,
    NetworkGallery,
    NetworkView,
    Panel,
    Role,
    Rule,
    Table,
)
from overparam.lab.records import Record, Records
from overparam.lab.series import series_over_seeds
from overparam.lab.verdict import told
from overparam.phenomena.identity._left_out import has_value, left_out_of
from overparam.phenomena.identity._summary import NEAR, MapSummary, mean_present
from overparam.phenomena.identity._task import SCORES, IdentityTask
from overparam.streams import Streams

ROWS = "a network that was trained to return one image, the training image beside the grid"
_SCORED = {  # columns of a table: field, unit
    "To the input": ("identity_correlation", "correlation"),
    "To the training image": ("constant_correlation", "correlation"),
    "Preference": ("preference", "1 identity, -1 constant"),
}
_SIMILARITY_EDGES = np.array([-1.0, 0.0, 0.15, 0.3, 0.45, 0.6, 1.0])


def galleries(
    records: Records,
    task_of: Callable[[Streams], IdentityTask],
    *,
    rows: str = ROWS,
    hint: str = "",
    **how: Any,
) -> list[NetworkGallery]:
    """Return the gallery of the first seed that has networks; none where there are no networks.

    Args:
        records: networks of all seeds. task_of: of a seed's streams, the task to show.
        rows: what a row is. hint: what else to look at. how: the rest, as `network_gallery` has it.
    """
    if not len(records):
        return []
    seed = records.seeds[0]
    caption = (
        f"Each row is {rows}; each column shows what it makes of an image that it never saw. "
        f"{hint} Choose an input to follow it through the layers. Seed {seed}; the scores of all "
        "seeds are below."
    )
    first = records.where(lambda r: r.seed == seed)
    return [network_gallery(first, task_of(Streams(seed)), caption=caption, **how)]


def network_gallery(
    records: Sequence[Record],
    task: IdentityTask,
    *,
    family: Callable[[Record], str],
    level: Callable[[Record], float],
    label: Callable[[Record], str],
    name: str = "networks",
    title: str,
    caption: str,
    level_name: str = "Depth",
    level_unit: str = "layers",
    training_words: Mapping[str, str] | None = None,
) -> NetworkGallery:
    """Return the gallery of networks whose outcomes are `MapOutcome`s of one seed's `task`.

    Args:
        records: one network each, of one seed; those without an outcome are left out.
        task: the task of that seed, as the networks had it (of several tasks, the first one's).
        family, level, label: of a record: the group, the place on the slider, the row's text.
        training_words: family to what the image beside it is, where it is not what the family's
            networks were trained on.
    """
    shown = task.shown
    views = [
        NetworkView(
            family=family(record),
            label=label(record),
            level=level(record),
            outputs=np.asarray(record.outcome.outputs, float),
            scores={
                text: np.asarray(values, float)[shown]
                for text, values in zip(SCORES.values(), record.outcome.scores, strict=True)
            },
            layers=[np.asarray(images, float) for images in record.outcome.layers],
            layer_labels=[f"layer {i + 1}" for i in range(len(record.outcome.layers))],
            note=training_note(record),
        )
        for record in records
        if record.outcome is not None
    ]
    training = task.training[:3].mean(1).numpy()
    several = len(training) > 1
    return NetworkGallery(
        name=name,
        title=title,
        caption=caption,
        views=views,
        inputs=task.probe.images[shown].mean(1).numpy(),
        input_labels=[task.probe.labels[i] for i in shown],
        training=training,
        training_labels=[f"training image {i + 1}" for i in range(len(training))]
        if several
        else ["training image"],
        level_name=level_name,
        level_unit=level_unit,
        training_words=training_words or {},
    )


def similarity_heat_map(
    arms: Mapping[str, Records],
    by: str,
    *,
    title: str,
    caption: str,
    name: str = "similarity",
    axis: Axis | None = None,
) -> HeatMap:
    """Return the mean correlation to the input and to the training image, over a factor and the
    similarity of the test input to the training image; of networks that fitted their images.

    Args:
        arms: panel prefix to records; with one arm the prefix is left out.
        by: field of the condition that makes the rows, such as ``depth``.
    """
    levels = sorted({getattr(r.condition, by) for records in arms.values() for r in records})
    panels, notes = [], []
    for arm, records in arms.items():
        for score in ("identity_correlation", "constant_correlation"):
            row = list(SCORES).index(score)
            found = [_by_similarity(records, by, level, row) for level in levels]
            prefix = f"{arm}: " if len(arms) > 1 else ""
            panels.append((f"{prefix}{SCORES[score]}", np.array([mean for mean, _ in found])))
            notes.append([[f"{n} test inputs" for n in counts] for _, counts in found])
    return HeatMap(
        name=name,
        title=title,
        caption=caption,
        x=Axis("Correlation of the test input with the training image", limits=(-1, 1)),
        y=axis or Axis("Depth", "layers"),
        y_labels=[f"{level:g}" for level in levels],
        panels=panels,
        quantity="Correlation",
        x_labels=[
            f"below {high:g}" if low == -1 else f"{low:g} to {high:g}"
            for low, high in pairwise(_SIMILARITY_EDGES)
        ],
        low=0.0,
        high=1.0,
        notes=notes,
    )


def score_chart(
    summary: MapSummary, axis: Axis, *, name: str = "correlations", place: str = "layers"
) -> Chart:
    """Return the correlations to the three targets over the swept factor, with the phases' ends.

    Args:
        axis: of the factor. place: its unit in the title, such as "layers".
    """
    lines: tuple[tuple[str, Role, np.ndarray], ...] = (
        ("to the input", "test", summary.identity),
        ("to the training image", "train", summary.constant),
        ("to the input's edges", "other", summary.edges),
    )
    series = [
        series_over_seeds(text, role, summary.levels, y, "mean", dashed=role == "other")
        for text, role, y in lines
    ]
    ends = (
        ("leaves the identity at", summary.leaves_identity),
        ("reaches the constant at", summary.reaches_constant),
    )
    found = [(text, end) for text, end in ends if np.isfinite(end.estimate)]
    rules = [Rule(end.estimate, f"{text} {end}") for text, end in found]
    if np.isfinite(summary.baseline):
        rules.append(Rule(summary.baseline, f"inputs themselves: {summary.baseline:.2f}", axis="y"))
    said = " and ".join(f"{text} {end.estimate:.1f} {place}".rstrip() for text, end in found)
    title = f"The learned map {said}" if said else "No end of a phase is seen within the sweep"
    if any(end.n_missing for _, end in ends) or not len(summary.levels):
        title = "Correlation to the input and to the training image"
    return Chart(
        name,
        title,
        "Correlation of the outputs with the input, with the training image and with the edges "
        f"of the input, mean over the test inputs; a phase ends where a line crosses {NEAR}. The "
        "inputs are like the training image to some degree anyway (horizontal rule): a score "
        f"counts only as far as it lies above that. {summary.left_out}",
        [Panel("", axis, Axis("Correlation", zero=True, limits=(-1, 1)), series, rules)],
    )


def score_charts(summary: MapSummary, axis: Axis) -> list[Chart]:
    """Return `score_chart`; none without levels."""
    return [score_chart(summary, axis)] if len(summary.levels) else []


def similarity_heat_maps(arms: Mapping[str, Records], by: str, **how: Any) -> list[HeatMap]:
    """Return `similarity_heat_map` of the arms that have networks; none where none has."""
    some = {arm: records for arm, records in arms.items() if len(records)}
    return [similarity_heat_map(some, by, **how)] if some else []


def preference_chart(
    arms: Mapping[str, tuple[Role, MapSummary]], axis: Axis, *, title: str, caption: str = ""
) -> Chart:
    """Return the preference over the swept factor, one line for each label in `arms`."""
    series = [
        series_over_seeds(text, role, summary.levels, summary.preference, "mean")
        for text, (role, summary) in arms.items()
        if len(summary.levels)
    ]
    return Chart(
        "preference",
        title,
        "Preference: 1 for a network that returns its input, -1 for one that returns its training "
        "image whatever it is shown, however alike the two are. It tells which of the two "
        "correlations is the larger, not that it is large. " + caption,
        [
            Panel(
                "",
                axis,
                Axis("Preference", "1 identity, -1 constant"),
                series,
                [Rule(0.0, "no preference", axis="y")],
            )
        ],
    )


def networks_table(
    records: Records, columns: Mapping[str, Callable[[Any], object]], units: Mapping[str, str]
) -> Table:
    """Return a row for every network: what it is, how many seeds fitted, and its scores.

    Args:
        columns: header to what it says of a condition. units: of these columns.
    """
    n_seeds = len(records.seeds)
    cells: dict[str, list[object]] = {head: [] for head in (*columns, "Fitted", *_SCORED)}
    for c in dict.fromkeys(r.condition for r in records):
        fitted = [r for r in records if r.condition == c and has_value(r)]
        for head, of_condition in columns.items():
            cells[head].append(of_condition(c))
        cells["Fitted"].append(f"{len(fitted)} of {n_seeds}")
        for head, (score, _) in _SCORED.items():
            mean = mean_present(np.array([r.value(score) for r in fitted], float))
            cells[head].append(told(mean, ".3f", "-"))
    return Table(
        "counts",
        "The networks",
        "Means over the seeds whose network fitted its training image: correlation of the outputs "
        "to the input and to the training image, and the preference between the two.",
        cells,
        {**units, "Fitted": "seeds"} | {head: unit for head, (_, unit) in _SCORED.items()},
    )


def training_note(record: Record) -> str:
    """Return what must be known of a network that did not fit its training images, or ""."""
    if not record.outcome.n_steps:
        return "not trained"
    if not record.outcome.learned:
        return f"did not fit: {left_out_of([record]).remedy}"
    return ""


def _by_similarity(
    records: Records, by: str, level: object, score: int
) -> tuple[np.ndarray, list[int]]:
    """Return the mean score in each bin of similarity, NaN where it is empty, and the counts."""
    some = [r.outcome for r in records if getattr(r.condition, by) == level and has_value(r)]
    edges = _SIMILARITY_EDGES
    if not some:
        return np.full(len(edges) - 1, np.nan), [0] * (len(edges) - 1)
    similarity = np.concatenate([o.baselines for o in some])
    values = np.concatenate([o.scores[score] for o in some])
    bins = np.digitize(similarity, edges[1:-1])
    inside = [values[bins == b] for b in range(len(edges) - 1)]
    means = np.array([v.mean() if len(v) else np.nan for v in inside])
    return means, [len(v) for v in inside]
