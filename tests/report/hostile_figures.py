"""Every kind of figure with hostile texts in every place, drawn to every format.

Run as a program of its own (`python -m tests.report.hostile_figures`): what drawing libraries
cannot bear ends their process, which no `except` of the tests would see.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from overparam.lab.figure import (
    Axis,
    Chart,
    Figure,
    HeatMap,
    ImageGrid,
    NetworkGallery,
    NetworkView,
    Panel,
    Rule,
    Series,
    Table,
)
from overparam.lab.verdict import Interval, exceeds, judge
from overparam.report.export import FORMATS, save_figure
from overparam.report.study import Study
from tests.report.conftest import make_result

NASTY = (
    *("", " ", "\x00", "\x1b[2J\x1b]0;owned\x07", "\x7f\x85\x9b31m", "\ufffe", "\uffff"),
    *("\ud800", "a\udfffb", "\U0001ffff\U0010ffff", "\u202eevil\u2066\u2069", "\u2028\u2029"),
    *("</script><script>alert(1)</script>", "<svg onload=x>]]>&quot;&#0;", "{{ 7*7 }}${x}`y`"),
    *("a\r\nb\tc", "\u0301" * 200, "ẞ" * 3000, "w" * 100_000, "long " * 20_000, "=1+1", "nan"),
)
ANY = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=()), max_size=30))


def make_figures(texts: list[str]) -> list[Figure]:
    """Return one figure of each kind, whose texts are `texts` in turn."""
    source = itertools.cycle(texts)

    def some(count: int) -> list[str]:
        return [next(source) for _ in range(count)]

    def words() -> dict[str, str]:
        return dict(zip(("name", "title", "caption"), some(3), strict=True))

    x, rng = np.arange(1.0, 4.0), np.random.default_rng(0)
    axes = [Axis(a, b) for a, b in zip(some(2), some(2), strict=True)]
    roles: Any = ("test", "control", "theory")
    series = [
        Series(label, role, x, x + k, x, x + 2, rng.random((3, 5)), *some(2))
        for k, (label, role) in enumerate(zip(some(3), roles, strict=True))
    ]
    rules = [Rule(2.0, next(source), axis) for axis in ("x", "y")]  # type: ignore[arg-type]
    panels = [Panel(title, *axes, series, rules) for title in some(2)]
    images, notes = rng.random((2, 2, 3, 3)), [some(2), some(2)]
    views = [
        NetworkView(
            *some(2), k, images[k], {"score": x[:2]}, [images[0]], some(1), note=next(source)
        )
        for k in range(2)
    ]
    return [
        Chart(**words(), panels=panels),
        ImageGrid(**words(), images=images, row_labels=some(2), column_labels=some(2), notes=notes),
        HeatMap(
            **words(),
            x=axes[0],
            y=axes[1],
            y_labels=some(2),
            panels=[(next(source), images[0, 0, :2])],
            quantity=next(source),
            unit=next(source),
            x_labels=some(3),
            notes=[[some(3), some(3)]],
        ),
        NetworkGallery(
            **words(),
            views=views,
            inputs=images[0],
            input_labels=some(2),
            training=images[1][:1],
            training_labels=some(1),
            level_name=next(source),
            level_unit=next(source),
            training_words={views[0].family: next(source)},
        ),
        Table(**words(), columns={next(source): some(2), "number": [1, float("nan")]}),
    ]


def draw_all(texts: list[str], folder: Path) -> None:
    """Draw every kind of figure to every format, and a report of them all."""
    figures = make_figures(texts)
    for number, figure in enumerate(figures):
        for path in save_figure(figure, folder / str(number), FORMATS):
            assert path.stat().st_size > 10, path
    what, unit, rule, reason, arm = (texts * 5)[:5]
    effect = Interval(1.5, 1.2, 1.9, n=5)
    verdict = judge([exceeds(what, effect, 1.1, reason)], effect=effect, unit=unit, rule=rule)
    study = Study(
        make_result(
            1,
            figures=figures,
            verdicts={"treatment": verdict, arm: verdict},
            provenance={texts[0]: texts, "notes": texts, "device": texts[-1]},
        )
    )
    page = study.to_html().encode()  # fails on a lone surrogate
    assert b"\x00" not in page
    assert len(page) < 3_000_000
    for text in (str(study), study._repr_html_(), study.to_json()):
        assert not set(text) & set("\x00\x1b\x07\x9b\ud800\ufffe\uffff\u202e"), text
    json.loads(study.to_json())


@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(st.lists(ANY, min_size=6, max_size=40))
def draw_many(texts: list[str]) -> None:
    """Draw texts of all of Unicode, mixed with the nasty ones."""
    with tempfile.TemporaryDirectory() as folder:
        draw_all(texts, Path(folder))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        draw_all(list(NASTY), Path(place))
        draw_all(list(reversed(NASTY)), Path(place))
    draw_many()
    sys.stdout.write("drawn\n")
