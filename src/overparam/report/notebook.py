"""A study as one cell of a notebook shows it: verdicts and the main figure, light or dark."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from overparam.lab.figure import Figure
from overparam.report.arms import interval_sentence
from overparam.report.content import Content
from overparam.report.export import figure_svg, file_stem
from overparam.report.formatting import format_measured
from overparam.report.page import own_names, prose
from overparam.report.palette import DARK, LIGHT, PAGE

# How the notebooks in use say that they are dark; none of them follows the system alone.
_DARK_PAGES = (
    *('[data-jp-theme-light="false"]', ".vscode-dark", ".vscode-high-contrast"),
    *('html[theme="dark"]', 'html[data-theme="dark"]'),
)
_WIDTH = 960.0  # pixels; less where the cell is narrower


def study_html(content: Content, figures: Sequence[Figure]) -> str:
    """Return claim, headline, verdicts and the main figure, in the notebook's own theme."""
    rows = "".join(
        f"<tr><td>{escape(a.name)}</td><td><b>{escape(a.kind)}</b></td>"
        f"<td>{escape(format_measured(a.estimate, a.low, a.high))} {escape(a.unit)}</td>"
        f"<td>{escape(interval_sentence(a))}</td></tr>"
        for a in content.arms
    )
    return (
        f'<div class="overparam-study">{notebook_style(".overparam-study")}'
        f"<p><b>{prose(content.title)}</b></p>"
        f"<p>{prose(content.claim)}</p><p>{prose(content.headline)}</p>"
        f"<table>{rows}</table>{_picture(content, figures)}</div>"
    )


def _picture(content: Content, figures: Sequence[Figure]) -> str:
    if not figures:
        return ""
    # Each output of a notebook lives in one page: its clip paths need names of their own.
    svg = own_names(figure_svg(figures[0], PAGE, width=_WIDTH - 20), file_stem(content.name))
    # Variables of our own, with the light colours for readers that strip the style sheet.
    svg = re.sub(r"var\(--([\w-]+)\)", lambda m: f"var(--op-{m[1]}, {LIGHT[m[1]]})", svg)
    svg = re.sub(r' style="min-width:\d+px"', "", svg, count=1)
    return svg.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)


def notebook_style(box: str) -> str:
    """Return the style sheet of what one cell shows, in the notebook's theme; box: its class."""
    dark = ", ".join(f"{page} {box}" for page in _DARK_PAGES)
    look = "background: var(--op-paper); color: var(--op-ink); padding: 8px 10px;"
    return (
        f"<style>{box} {{ {_variables(LIGHT)} max-width: {_WIDTH:.0f}px; {look} }}"
        f" {box} td {{ color: var(--op-ink); background: var(--op-paper); text-align: left; }}"
        f" {dark} {{ {_variables(DARK)} }}</style>"
    )


def _variables(palette: Mapping[str, str]) -> str:
    return " ".join(f"--op-{name}: {color};" for name, color in palette.items())
