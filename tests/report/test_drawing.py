"""What a chart's specification holds, and that Vega-Lite accepts it."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
import vl_convert

from overparam.lab.figure import Axis, Chart, Panel, Rule, Series
from overparam.report.drawing import MAX_DOTS, chart_data, chart_spec, chart_styles, drawing_notes
from overparam.report.free_space import Covered
from overparam.report.layout import plan_layout
from overparam.report.palette import DARK, LIGHT, PAGE

X = np.geomspace(1, 1000, 12)


def _chart(*series: Series, y: Axis | None = None, **panel: object) -> Chart:
    y = y or Axis("Loss", "nats")
    x = Axis("Steps t", "steps", "log")
    return Chart("loss", "Loss falls", "Look.", [Panel("", x, y, series, **panel)])  # type: ignore[arg-type]


def _svg(spec: dict) -> str:
    return vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])


@pytest.mark.parametrize("width", [350.0, 900.0])
@pytest.mark.parametrize("palette", [LIGHT, DARK, PAGE], ids=["light", "dark", "page"])
def test_drawing_shows_title_axes_names_and_rules(synthetic, width, palette):
    chart = synthetic(2).figures[1]
    svg = _svg(chart_spec(chart, palette, width=width, titled=True))
    shown = " ".join(re.findall(r">([^<>]+)</(?:text|tspan)>", svg))
    for text in ("Random features p (log scale)", "Test error (fraction wrong)", "weight norm"):
        assert text in shown
    assert "interpolation threshold p = n" in shown
    assert "10,000" in shown
    assert palette["test-0"] in svg


def test_series_meet_the_rows_of_their_panel(synthetic):
    chart = synthetic(5).figures[1]
    data = chart_data(chart)
    keys = {style.label: style.key for style in chart_styles(chart).values()}
    norm = chart.panels[1].series[0]
    rows = [r for r in data["rows"] if r["key"] == keys["weight norm"]]
    assert {r["panel"] for r in rows} == {1}
    np.testing.assert_allclose([r["y"] for r in rows], norm.y)
    np.testing.assert_allclose([r["low"] for r in rows], norm.low)
    dots = [d["y"] for d in data["dots"] if d["key"] == keys["weight norm"]]
    np.testing.assert_allclose(np.sort(dots), np.sort(np.asarray(norm.dots).ravel()))
    assert {r["seeds"] for r in rows} == {5}


def test_points_without_a_place_are_left_out_and_said():
    y = np.where(np.arange(12) < 9, 1.0, 0.0)
    chart = _chart(Series("train error", "train", X, y), y=Axis("Error", scale="log"))
    assert [r["y"] for r in chart_data(chart)["rows"]] == [1.0] * 9 + [None] * 3
    assert "Values of 0 or below" in " ".join(drawing_notes(chart))
    _svg(chart_spec(chart))


def test_lines_are_interrupted_at_missing_points():
    y = np.ones(12)
    y[5] = np.nan
    svg = _svg(chart_spec(_chart(Series("a", "test", X, y))))
    line = re.search(r'<path d="([^"]+)" stroke="#147eca" stroke-width="2.4"', svg)
    assert line is not None
    assert line.group(1).count("M") == 2


def test_panels_with_one_quantity_share_their_range():
    axis, x = Axis("Error"), Axis("p")
    small, large = (Series("a", "test", X, X * k) for k in (1, 10))
    panels = [Panel("small", x, axis, [small]), Panel("large", x, axis, [large])]
    panels.append(Panel("norm", x, Axis("Norm"), [small]))
    chart = Chart("c", "t", "", panels)

    def tops(chart: Chart) -> list[float]:
        return [p.y.high for p in plan_layout(chart, chart_styles(chart), 900).panels]

    first, second, norm = tops(chart)
    assert first == second > norm
    apart = tops(dataclasses.replace(chart, share_y=False))
    assert apart[0] < apart[1]


def test_names_stand_at_line_ends_without_overlap(synthetic):
    chart = synthetic(3).figures[0]
    layout = plan_layout(chart, chart_styles(chart), 900)
    assert layout.names_fit
    panel = layout.panels[0]
    pixels = sorted(panel.height * (1 - panel.y.share(n.y)) for n in panel.names)
    assert (np.diff(pixels) >= 13.9).all()
    assert {n.text for n in panel.names} >= {"theory", "test error", "train error"}


def test_twelve_crowded_series_get_a_legend_instead():
    series = [Series(f"width {k}", "other", X, (k + 1) * np.exp(-X / 99)) for k in range(12)]
    chart = _chart(*series)
    assert not plan_layout(chart, chart_styles(chart), 900).names_fit
    with_legend, without = (_svg(chart_spec(chart, legend=flag)) for flag in (True, False))
    for k in range(12):
        assert f">width {k}<" in with_legend
        assert f">width {k}<" not in without


@pytest.mark.parametrize("y", [np.full(12, np.nan), np.full(12, np.inf)])
def test_a_panel_without_values_says_so(y):
    chart = _chart(Series("a", "test", X, y, low=y, high=y, dots=y[:, None]))
    assert "no finite values to draw" in _svg(chart_spec(chart))


def test_single_point_and_no_series():
    _svg(chart_spec(_chart(Series("a", "test", X[:1], X[:1]))))
    assert "no finite values" in _svg(chart_spec(_chart()))


def test_very_long_labels_are_wrapped_not_cut():
    label = " ".join(["unusually long name of a series"] * 4)
    chart = _chart(Series(label, "test", X, X), rules=[Rule(30.0, "known size " * 6)])
    spec = chart_spec(chart)
    assert "…" not in json.dumps(spec, ensure_ascii=False)
    words = re.findall(r">([^<>]+)</(?:text|tspan)>", _svg(spec))
    assert " ".join(words).count("unusually") == 4


def test_more_seeds_than_can_be_drawn_are_left_to_the_band():
    dots = np.ones((12, MAX_DOTS))
    chart = _chart(Series("a", "test", X, X, dots=dots))
    assert chart_data(chart)["dots"] == []
    assert "Single seeds are not drawn" in " ".join(drawing_notes(chart))


def test_a_band_that_is_cut_is_said():
    wild = np.where(np.arange(12) == 6, 1e6, 1.2)
    cut = _chart(Series("a", "test", X, np.ones(12) + X / 1e3, np.zeros(12), wild))
    note = "Some bands or seeds reach beyond the range drawn; the table has them."
    assert note in drawing_notes(cut)
    assert note not in drawing_notes(_chart(Series("a", "test", X, X, X * 0.9, X * 1.1)))


def test_interactive_drawing_has_its_parameters_and_names_no_data(synthetic):
    spec = chart_spec(synthetic(2).figures[0], interactive=True, with_data=False)
    assert [p["name"] for p in spec["params"]] == ["hidden", "cursor"]
    assert "datasets" not in spec
    vega = vl_convert.vegalite_to_vega({**spec, "datasets": {"rows": [], "dots": []}})
    assert {"hidden", "cursor"} <= {s["name"] for s in vega["signals"]}


def test_notes_say_what_lines_and_bands_are(synthetic):
    assert drawing_notes(synthetic(5).figures[0]) == [
        "Line: mean over 5 seeds.",
        "Band: two standard deviations.",
        "Faint dots: single seeds.",
    ]


def test_three_seeds_have_dots_and_no_band(synthetic):
    chart = synthetic(3).figures[0]
    assert drawing_notes(chart) == ["Line: mean over 3 seeds.", "Faint dots: single seeds."]
    data = chart_data(chart)
    assert {r["low"] for r in data["rows"]} == {r["high"] for r in data["rows"]} == {None}
    assert len(data["dots"]) == 3 * 3 * 24


def test_a_line_that_ends_early_is_named_where_it_ends():
    short = Series("short", "control", X[:6], np.full(6, 0.2))
    chart = _chart(Series("long", "test", X, np.ones(12)), short)
    panel = plan_layout(chart, chart_styles(chart), 900).panels[0]
    names = {n.text: n for n in panel.names}
    assert names["long"].x > panel.width
    end = float(panel.x.share(X[5])) * panel.width
    assert end < names["short"].x < end + 20
    assert [n.lead for n in panel.names] == [None, None]


def test_a_name_that_had_to_move_has_a_dotted_leader_outside_the_data():
    lines = [Series(f"line {k}", "other", X, np.full(12, 1 + k / 1e3)) for k in range(3)]
    lines.append(Series("far", "test", X, X / 100))
    chart = _chart(*lines)
    panel = plan_layout(chart, chart_styles(chart), 900).panels[0]
    leads = [n.lead for n in panel.names if n.lead]
    end = panel.x.share(X[-1]) * panel.width
    assert leads
    assert all(end < lead[0] <= panel.width < lead[2] for lead in leads)
    svg = _svg(chart_spec(chart))
    assert 'stroke-dasharray="1,2.5"' in svg


def test_a_line_that_ends_among_others_leaves_its_name_to_the_legend():
    crowd = Series("crowd", "other", np.geomspace(1, 1000, 99), np.arange(99) % 2)
    short = Series("a rather long name", "control", X[:6], np.full(6, 0.3))
    chart = _chart(crowd, short)
    assert not plan_layout(chart, chart_styles(chart), 900).names_fit


def test_label_of_a_level_rule_is_put_where_no_data_are():
    y = np.where(np.arange(12) > 5, 0.52, 5.0)  # along the rule on the right, far on the left
    chart = _chart(Series("a", "test", X, y), rules=[Rule(0.5, "chance", axis="y")])
    panel = plan_layout(chart, chart_styles(chart), 900).panels[0]
    (label,) = panel.rules
    covered = Covered(chart.panels[0], panel.x, panel.y, panel.width, panel.height)
    assert covered.cost((label.x, label.y - 7, 38, 14)) == 0
    assert (
        covered.cost((panel.width - 60, panel.height * (1 - panel.y.share(0.52)) - 7, 40, 14)) > 0
    )


def test_numbers_on_hover_have_the_digits_of_their_interval():
    line = Series("a", "test", X, np.full(12, 0.123456), np.full(12, 0.12), np.full(12, 0.13))
    row = chart_data(_chart(line))["rows"][0]
    assert (row["y_text"], row["interval"]) == ("0.123 nats", "[0.120, 0.130]")


EXTREMES = (0.0, -0.0, 1.0, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1e-300, 1e17, 0.1)


@pytest.mark.parametrize("seed", range(12))
def test_numbers_of_every_size_are_drawn_or_left_out(seed):
    rng = np.random.default_rng(seed)
    x, y, low, high = rng.choice(EXTREMES, (4, 3))
    rules = [Rule(*rng.choice(EXTREMES, 1), "rule", axis) for axis in ("x", "y")]  # type: ignore[arg-type]
    series = Series("a", "test", x, y, low, high, rng.choice(EXTREMES, (3, 5)))
    for scale in ("linear", "log"):
        y_axis = Axis("y", "fraction", scale)  # type: ignore[arg-type]
        panel = Panel("", Axis("x", scale=scale), y_axis, [series], rules)  # type: ignore[arg-type]
        chart = Chart("c", "t", "c", [panel])
        assert "NaN" not in _svg(chart_spec(chart))
        assert "nan" not in json.dumps(chart_data(chart), allow_nan=False)
        drawing_notes(chart)
