"""Figures of autoencoders that were iterated: what they store over depth, the images on their way,
and the table of networks.

Records are those of cells with the outcomes of `overparam.phenomena.memorization.autoencoders`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overparam.lab.figure import Axis, Chart, ImageGrid, Panel, Role, Rule, Series, Table
from overparam.lab.intervals import mean_interval
from overparam.lab.records import Record, Records
from overparam.lab.series import series_over_seeds
from overparam.lab.verdict import Clause, shown
from overparam.phenomena.memorization._autoencoder_summary import (
    Summary,
    at_end,
    judged,
    trained_kinds,
)

DEPTH = Axis("Hidden layers", zero=True)
ATTRACTS = Rule(1.0, "attracts below", axis="y")
REACHED = 0.05  # of the training image's norm, as in `measures.recalled_examples`

MEANS = {  # headers and fields
    "memorization rate": "rate",
    "unseen that end at one": "recalled",
    "largest radius": "largest_radius",
    "relative error": "fixed_point_error",
    "energy in the span": "span_energy",
    "of the inputs": "input_span_energy",
    "off the closed form": "closed_form_error",
}
UNITS = {
    "training loss": "squared error per pixel",
    "memorization rate": "fraction",
    "unseen that end at one": "fraction",
    "relative error": "median over the training images",
    "energy in the span": "fraction",
    "of the inputs": "fraction",
    "off the closed form": "largest entry, linear only",
}


def rate_charts(
    few: Records, many: Records, found: Summary, stored: Sequence[Clause]
) -> list[Chart]:
    """Return the fractions of images stored and recalled over depth; none where none trained.

    Args:
        few, many: networks trained on few images, and on many. found: of those on few.
        stored: what is claimed of the rate and of its gain over depth.
    """
    panels = [
        Panel(
            kind,
            DEPTH,
            Axis("Fraction of images", zero=True),
            [
                *_over_depth("stored", "train", few.where(kind=kind), "rate"),
                *_over_depth("unseen that end at one", "test", few.where(kind=kind), "recalled"),
                *_over_depth("stored, of many", "control", many.where(kind=kind), "rate"),
            ],
        )
        for kind in trained_kinds(few)
    ]
    title = "Training images that are attractors, over depth"
    if shown(*stored):
        title = (
            f"The deepest autoencoders store {found.rate.estimate:.0%} of their training images as "
            f"attractors, the shallowest {found.rate.estimate - found.gain.estimate:.0%}"
        )
    caption = (
        "An image is stored where the network returns it and the spectral radius of its "
        "Jacobian there is below 1. Then iterating the network from unseen images may end at "
        f"it; from so many of them it ends at a training image in the deepest networks: "
        f"{found.recalled}. The control returns its many training images, and is to store "
        f"none. Of {found.n_networks} networks {found.n_untrained} failed to train and "
        f"{'is' if found.n_untrained == 1 else 'are'} left out."
    )
    return [Chart("memorization_rate", title, caption, panels)] if panels else []


def radius_charts(few: Records, many: Records, *, ends_known: bool) -> list[Chart]:
    """Return the spectral radius at the training images over depth; none where none trained.

    Args:
        ends_known: whether the shallowest and the deepest networks are all there and trained.
    """
    panels = [
        Panel(
            kind,
            DEPTH,
            Axis("Spectral radius", zero=True),
            [
                *_over_depth("largest", "other", few.where(kind=kind), "largest_radius"),
                *_over_depth("typical", "train", few.where(kind=kind), "spectral_radius"),
                *_over_depth("of many", "control", many.where(kind=kind), "spectral_radius"),
            ],
            [ATTRACTS],
        )
        for kind in trained_kinds(few)
    ]
    caption = (
        "Mean over seeds of the geometric mean over a network's training images (typical) and "
        "of the largest of them. Where it is below 1, iterating from nearby returns to the "
        "image."
    )
    title = _radius_title(few, ends_known)
    return [Chart("spectral_radius", title, caption, panels)] if panels else []


def _radius_title(few: Records, ends_known: bool) -> str:
    shallow, deep = (
        [r.outcome.spectral_radius for kind in trained_kinds(few) for r in at_end(few, kind, i)]
        for i in (0, -1)
    )
    if not ends_known:
        return "Spectral radius of the Jacobian at the training images"
    return (
        "Spectral radius of the Jacobian at the training images: typically "
        f"{np.mean(shallow):.2g} in the shallowest, {np.mean(deep):.2g} in the deepest networks"
    )


def _over_depth(label: str, role: Role, records: Records, name: str) -> list[Series]:
    """Return the line of a field over the depths at which networks trained, if there are any."""
    if not len(records):
        return []
    depths, values = judged(records, name)
    there = np.isfinite(values).any(1)
    bounds = (0, 1) if name in ("rate", "recalled") else (0, np.inf)
    line = series_over_seeds(label, role, depths[there], values[there], "mean", bounds=bounds)
    return [line] if there.any() else []


def iterates_grids(records: Records, steps: Sequence[int]) -> list[ImageGrid]:
    """Return unseen images, their iterates, and the training image nearest to the end.

    None where there is no network to show.

    Args:
        records: of which the first that trained of each kind, at its largest depth, is shown.
        steps: applications after which the path was kept, from 0.
    """
    groups = [at_end(records, kind, -1) for kind in trained_kinds(records)]
    rows: list[list[np.ndarray]] = []
    labels: list[str] = []
    notes: list[list[str]] = []
    n_reached = 0
    for group in groups:
        for record in group[:1]:
            shown, c = record.outcome, record.condition
            for path, end in zip(shown.path, shown.nearest, strict=True):
                rows.append([*path, end])
                labels.append(f"{c.kind}, {c.depth} layers")
                off = [float(np.linalg.norm(i - end) / np.linalg.norm(end)) for i in path]
                notes.append([_distance(x) for x in off] + [""])
                n_reached += off[-1] <= REACHED
    if not rows:
        return []
    grid = ImageGrid(
        "iterates",
        f"After {steps[-1]} applications {n_reached} of these {len(rows)} unseen images "
        f"{'has' if n_reached == 1 else 'have'} become a training image",
        "Each row is one unseen image: it is put into the network, its output is put in again, and "
        "so on. Last stands the training image that is nearest to the end; an end within "
        f"{REACHED:.0%} of its norm counts as it. One network of each kind, the deepest, of the "
        "first seed at which it trained.",
        np.array(rows),
        labels,
        ["unseen image", *(f"after {k}" for k in steps[1:]), "nearest training image"],
        notes=notes,
    )
    return [grid]


def _distance(share: float) -> str:
    if not np.isfinite(share):
        return "beyond all numbers"
    return f"{share:.2g} of its norm off the training image"


def networks_table(records: Records) -> Table:
    """Return every arm, kind and depth, with the energy in the training images' span."""
    columns: dict[str, list[str]] = {}
    groups: dict[tuple[str, str, int], list[Record]] = {}
    for r in records:
        if r.outcome is not None:
            groups.setdefault((r.condition.arm, r.condition.kind, r.condition.depth), []).append(r)
    for (arm, kind, depth), own in groups.items():
        trained = [r for r in own if r.outcome.trained]
        row = {
            "arm": arm,
            "kind": kind,
            "hidden layers": str(depth),
            "parameters": f"{own[0].outcome.n_params:,}",
            "trained": f"{len(trained)} of {len(own)}",
            "training loss": f"{np.median([r.outcome.train_loss for r in own]):.1e}",
        } | {
            header: _shown([r.value(name) for r in trained], name) for header, name in MEANS.items()
        }
        for header, text in row.items():
            columns.setdefault(header, []).append(text)
    return Table(
        "networks",
        "What one application shows, and what iterating shows",
        "Mean over the seeds that trained, with 95 % interval; the median of the loss. Energy in "
        "the span: the share of what one application makes of unseen images that is a combination "
        "of training images; beside it that of the unseen images themselves. More training "
        "images than pixels span everything. The linear autoencoder puts out nothing but "
        "combinations, and eigenvalues of 1 keep what they are given: it projects, and attracts "
        "nothing.",
        columns,
        UNITS,
    )


def _shown(values: Sequence[float], name: str) -> str:
    bounds = (0, 1) if name in ("rate", "recalled", "span_energy", "input_span_energy") else None
    found = mean_interval(values, bounds=bounds or (-np.inf, np.inf))
    return str(found) if found.n else ""
