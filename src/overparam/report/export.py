"""Figures to files: SVG, PNG and PDF without a browser, and the CSV behind each."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from overparam.checks import check_choice, check_file
from overparam.lab.figure import Chart, Figure, HeatMap, ImageGrid, NetworkGallery
from overparam.report.drawing import chart_spec
from overparam.report.gallery import gallery_svg
from overparam.report.heatmap import heat_map_svg
from overparam.report.images import image_grid_svg
from overparam.report.palette import LIGHT, Looks
from overparam.report.tables import csv_text, table_svg
from overparam.whole_file import write_whole

FORMATS = ("svg", "png", "pdf", "csv")
_MOST_STEM_LETTERS = 120  # file systems end at 255 bytes, and what is written has a longer name
_PNG_SCALE = 2.0  # pixels of the file per pixel of the drawing, for sharp print


def figure_svg(
    figure: Figure,
    palette: Mapping[str, str] = LIGHT,
    *,
    width: float = 900.0,
    height: float | None = None,
    titled: bool = True,
    legend: bool = True,
    looks: Looks | None = None,
) -> str:
    """Return any figure as an SVG document (see `drawing.chart_spec` for the arguments)."""
    if isinstance(figure, ImageGrid):
        return image_grid_svg(figure, palette, titled=titled)
    if isinstance(figure, NetworkGallery):
        return gallery_svg(figure, palette, titled=titled)
    if isinstance(figure, HeatMap):
        return heat_map_svg(figure, palette, width=width, titled=titled)
    if not isinstance(figure, Chart):
        return table_svg(figure, palette, titled=titled)
    import vl_convert  # loads a JavaScript engine

    spec = chart_spec(
        figure, palette, width=width, height=height, titled=titled, legend=legend, looks=looks
    )
    return vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])


def save_figure(
    figure: Figure,
    folder: Path,
    formats: Sequence[str] = FORMATS,
    looks: Looks | None = None,
    stem: str = "",
) -> list[Path]:
    """Write `figure` in each format into `folder` (made if missing) and return the paths.

    Args:
        looks: of the names in the report that the figure is of (`drawing.figure_looks`).
        stem: of the files; by default that of the figure's name.

    Raises:
        UsageError: unknown format, or something else than a file is there.
        ResourceError: the folder cannot be written.
    """
    for name in formats:
        check_choice("figure format", name, FORMATS)
    stem = stem or file_stem(figure.name)
    paths = [check_file(Path(folder) / f"{stem}.{name}") for name in formats]
    svg = figure_svg(figure, looks=looks) if set(formats) - {"csv"} else ""
    return [
        write_whole(path, _encode(figure, svg, name))
        for path, name in zip(paths, formats, strict=True)
    ]


def file_stem(name: str) -> str:
    """Return `name` as a safe file stem, without any path; a long one is cut, with a digest.

    >>> file_stem("../Test error/k=4")
    'Test_error_k_4'
    """
    stem = re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_") or "figure"
    if len(stem) <= _MOST_STEM_LETTERS:
        return stem
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{stem[: _MOST_STEM_LETTERS - 9]}_{digest}"


def file_stems(names: Sequence[str]) -> list[str]:
    """Return a stem for each name; those that a file system may take for one are numbered.

    >>> file_stems(["a/b", "A_b", "c"])
    ['a_b', 'A_b_2', 'c']
    """
    taken: set[str] = set()
    stems = []
    for stem in map(file_stem, names):
        numbered = (f"{stem}_{k}" for k in itertools.count(2))
        free = next(s for s in itertools.chain([stem], numbered) if s.lower() not in taken)
        taken.add(free.lower())
        stems.append(free)
    return stems


def _encode(figure: Figure, svg: str, name: str) -> bytes:
    if name == "csv":
        return csv_text(figure).encode()
    if name == "svg":
        return svg.encode()
    import vl_convert

    if name == "png":
        return vl_convert.svg_to_png(svg, scale=_PNG_SCALE)
    return vl_convert.svg_to_pdf(svg)
