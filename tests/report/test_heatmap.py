"""Heat maps: every cell has its value's colour, number and words; the scale reads in grey."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from overparam.lab.figure import Axis, HeatMap
from overparam.report.content import describe
from overparam.report.heat_colors import heat_colors, ink_on, luminance, relative_lightness
from overparam.report.heatmap import heat_map_svg, heat_notes
from overparam.report.study import Study
from overparam.report.tables import csv_text, figure_table
from tests.report.synthetic_figures import make_heat
from tests.report.test_palette import SIGHT

SPACE = {"s": "http://www.w3.org/2000/svg"}
EVIL = """</title><script>alert(1)</script>"'&<b>"""


def _cells(heat: HeatMap, **options) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(heat_map_svg(heat, **options))
    found = root.findall(".//s:rect[@data-cell]", SPACE)
    return {cell.attrib["data-cell"]: cell for cell in found}


def _words(cell: ElementTree.Element) -> str:
    return cell.find("s:title", SPACE).text  # type: ignore[union-attr,return-value]


def test_every_cell_has_the_colour_of_its_value():
    heat = make_heat()
    cells = _cells(heat)
    assert len(cells) == 2 * 6 * 5
    for p, (_, values) in enumerate(heat.panels):
        for (r, c), value in np.ndenumerate(values):
            if np.isnan(value):
                continue
            fill = cells[f"{p}:{r}:{c}"].attrib["fill"]
            rgb = [int(fill[i : i + 2], 16) for i in (1, 3, 5)]
            np.testing.assert_array_equal(rgb, heat_colors(value, 0, 1, False))


def test_an_empty_cell_is_drawn_as_such():
    cells = _cells(make_heat())
    assert _words(cells["1:0:0"]).endswith("Correlation of the output no value")
    assert cells["1:0:0"].attrib["stroke-dasharray"]
    assert "stroke-dasharray" not in cells["0:0:0"].attrib
    assert "Dashed cells have no value." in heat_notes(make_heat())


def test_a_cell_says_place_number_unit_and_note():
    heat = make_heat()
    notes = [[[f"{p} {r} {c}" for c in range(5)] for r in range(6)] for p in range(2)]
    heat = dataclasses.replace(heat, unit="r", notes=notes)
    assert _words(_cells(heat)["0:3:2"]) == (
        "To the input, Depth 4, Correlation of the input with the training image class 2:"
        " Correlation of the output 0.56 r. 0 3 2"
    )


def _numbers(heat: HeatMap) -> list[str]:
    root = ElementTree.fromstring(heat_map_svg(heat))
    return [g.find("s:text", SPACE).text for g in root.findall(".//s:g[@pointer-events]", SPACE)]


def test_every_cell_that_has_room_shows_its_number():
    heat = make_heat()
    values = np.concatenate([v.ravel() for _, v in heat.panels])
    assert _numbers(heat) == [f"{v:.2f}" for v in values[~np.isnan(values)]]


def test_a_cell_too_narrow_for_its_number_shows_none():
    heat = HeatMap(
        "h", "t", "", Axis("x"), Axis("y"), ["r"], [("", np.array([[0.25, 0.75]]))], "q",
        x_edges=np.array([0, 0.1, 10]),
    )  # fmt: skip
    assert _numbers(heat) == ["0.75"]


def test_numbers_of_any_size_are_short():
    for scale, shown in ((1e6, "5 × 10⁵"), (100.0, "50"), (1e-3, "0.0005"), (1e-9, "5 × 10⁻¹⁰")):
        heat = HeatMap(
            "h", "t", "", Axis("x"), Axis("y"), ["r"], [("", np.array([[0.5 * scale]]))], "q",
            x_labels=["c"], high=scale,
        )  # fmt: skip
        text = "".join(ElementTree.fromstring(heat_map_svg(heat)).itertext())
        assert shown in text.replace("500,000", "5 × 10⁵")


def test_small_negative_numbers_do_not_become_minus_zero():
    heat = dataclasses.replace(make_heat(1, 2), panels=[("", np.array([[-0.001, -0.126]]))], low=-1)
    text = heat_map_svg(heat)
    assert ">0.0<" in text or ">0.00<" in text
    assert "−0.13" in text or "−0.1" in text
    assert "−0.00<" not in text


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_columns_lie_at_their_edges(scale):
    edges = np.array([1.0, 2.0, 8.0])
    heat = HeatMap(
        "h", "t", "", Axis("x", scale=scale), Axis("y"), ["r"], [("", np.ones((1, 2)))], "q",
        x_edges=edges,
    )  # fmt: skip
    cells = _cells(heat)
    widths = [float(cells[f"0:0:{c}"].attrib["width"]) for c in (0, 1)]
    ratio = 6.0 if scale == "linear" else np.log(4) / np.log(2)
    assert widths[1] / widths[0] == pytest.approx(ratio, rel=1e-3)
    assert "x 2 to 8" in _words(cells["0:0:1"])


def test_many_panels_go_on_further_lines_within_the_width():
    heat = make_heat(columns=12)
    heat = dataclasses.replace(heat, panels=[*heat.panels, *heat.panels])
    root = ElementTree.fromstring(heat_map_svg(heat, width=900))
    assert float(root.attrib["width"]) <= 900
    tops = {float(c.attrib["y"]) for n, c in _cells(heat).items() if n.endswith(":1:1")}
    assert len(tops) == 2


def test_long_column_labels_are_turned():
    heat = make_heat(columns=3)
    assert "rotate(-90" in heat_map_svg(dataclasses.replace(heat, x_labels=["a" * 40] * 3))
    turned = heat_map_svg(heat).count("rotate(-90")
    assert turned == 1  # the title of the y axis alone


def test_hostile_texts_stay_texts():
    heat = dataclasses.replace(
        make_heat(2, 2),
        title=EVIL,
        y_labels=[EVIL] * 2,
        x_labels=[EVIL] * 2,
        quantity=EVIL,
        panels=[(EVIL, np.zeros((2, 2)))],
        notes=[[[EVIL] * 2] * 2],
    )
    root = ElementTree.fromstring(heat_map_svg(heat, titled=True))
    assert root.findall(".//s:script", SPACE) == []
    assert EVIL in _words(_cells(heat)["0:1:1"])


@pytest.mark.parametrize("sight", SIGHT)
def test_the_scale_darkens_all_the_way_for_every_sight(sight):
    rgb = heat_colors(np.linspace(0, 1, 101), 0, 1, False) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ SIGHT[sight].T, 0, 1) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(seen) < 0).all()


def test_equal_steps_of_value_are_equal_steps_of_grey():
    lightness = relative_lightness(heat_colors(np.linspace(0, 1, 41), 0, 1, False))
    assert lightness[0] - lightness[-1] > 80
    # Between two anchors colours are mixed in sRGB, which bends lightness a little.
    np.testing.assert_allclose(lightness, np.linspace(lightness[0], lightness[-1], 41), atol=2.0)


def test_colours_end_with_the_scale_and_infinity_is_beyond_it():
    ends = heat_colors(np.array([-9.0, 0.0, 1.0, 9.0, np.inf, -np.inf]), 0, 1, False).tolist()
    assert ends[0] == ends[1] == ends[5] == [0xFF, 0xFF, 0xD9]
    assert ends[2] == ends[3] == ends[4] == [0x08, 0x1D, 0x58]
    heat = dataclasses.replace(make_heat(), high=0.5)
    assert "Values beyond the scale have the colour of its end." in heat_notes(heat)


def test_differences_are_white_at_zero():
    rgb = heat_colors(np.array([[-1.0, 0.0, 1.0]]), -0.5, 1.0, True)[0].tolist()
    assert rgb == [[0x21, 0x66, 0xAC], [0xF7, 0xF7, 0xF7], [0xB2, 0x18, 0x2B]]
    diverging = dataclasses.replace(make_heat(), low=-0.5, diverging=True)
    assert ">−1<" in heat_map_svg(diverging)


def test_a_constant_heat_map_is_drawn():
    heat = dataclasses.replace(make_heat(), low=1.0, high=1.0)
    assert len(_cells(heat)) == 60


def test_ink_is_read_on_every_colour():
    for rgb in heat_colors(np.linspace(0, 1, 51), 0, 1, False):
        ink = 0.0 if ink_on(rgb) == "#000000" else 1.0
        light = sorted([ink, float(luminance(rgb))])
        assert (light[1] + 0.05) / (light[0] + 0.05) >= 4.5


def test_table_and_csv_hold_each_cell_exactly():
    heat = make_heat(edges=True)
    assert figure_table(heat).columns == (
        "Panel",
        "Depth (layers)",
        "Correlation of the input with the training image, from",
        "Correlation of the input with the training image, to",
        "Correlation of the output",
    )
    rows = list(csv.reader(io.StringIO(csv_text(heat))))[1:]
    numbers = [float(row[-1] or "nan") for row in rows]
    np.testing.assert_array_equal(numbers, np.concatenate([v.ravel() for _, v in heat.panels]))
    assert [float(v) for v in rows[6][2:4]] == [heat.x_edges[1], heat.x_edges[2]]
    assert rows[6][:2] == ["To the input", "2"]
    labelled = dataclasses.replace(make_heat(1, 1), notes=[[["n"]], [["m"]]])
    assert figure_table(labelled).columns[-1] == "Note"
    assert [row[-1] for row in figure_table(labelled).rows] == ["n", "m"]


def test_content_and_json_hold_the_values(synthetic):
    content = describe(synthetic(1, figures=[make_heat()]))
    figure = content.figures[0]
    assert figure.kind == "heat"
    assert figure.data["panels"][1][1][0][0] is None
    assert figure.data["panels"][0][1][2][3] == make_heat().panels[0][1][2, 3]
    assert figure.notes[0] == "All panels share the colour scale drawn below them."


def test_page_holds_the_map_and_its_thumbnail(synthetic):
    html = Study(synthetic(1, figures=[make_heat()])).to_html()
    assert html.count('data-cell="0:1:1"') == 2
    assert html.count('data-cell="1:1:1"') == 1  # the thumbnail has the first panel only
    assert re.search(r'aria-label="Heat map: [^"]*Arrow keys read its cells', html)
