"""Colours, dashes and markers: one set, and the same meaning on every page.

Seven roles, each with five shades, for light and for dark paper. The base colours were found by a
search that keeps every pair apart (CIELAB distance of at least 20) for normal sight, deuteranopia,
protanopia and tritanopia, and readable as text (contrast of at least 4.3:1); the tests measure both
again. Lightness differs too, and every role has its own dash and marker, so that a greyscale print
can be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from overparam.lab.figure import Series

N_SHADES = 5
_LIGHTEST = 0.62  # share of paper in the lightest shade of a role

_LIGHT_ROLES = {
    "train": "#75767e",
    "test": "#147eca",
    "control": "#b6640b",
    "theory": "#111111",
    "ensemble": "#004f21",
    "other": "#64135e",
    "norm": "#490ab5",
}
_DARK_ROLES = {
    "train": "#8e8d8d",
    "test": "#2a7df6",
    "control": "#dc590c",
    "theory": "#f4f4f4",
    "ensemble": "#3ee77f",
    "other": "#f6abf2",
    "norm": "#b062b7",
}
_LIGHT_PAPER = {
    "paper": "#ffffff",
    "ink": "#1b1e23",
    "muted": "#5b626d",
    "grid": "#e6e8ec",
    "axis": "#9aa1ab",
}
_DARK_PAPER = {
    "paper": "#14171c",
    "ink": "#eceff3",
    "muted": "#a3abb7",
    "grid": "#2a2f37",
    "axis": "#5f6874",
}
ROLES = tuple(_LIGHT_ROLES)

DASHES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "train": (),
        "test": (),
        "control": (9, 3),
        "theory": (),
        "ensemble": (2.5, 2.5),
        "other": (),
        "norm": (10, 3, 2, 3),
    }
)
SECOND_DASHES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {role: (4, 3) if not dash else (2, 4) for role, dash in DASHES.items()}
)
WIDTHS: Mapping[str, float] = MappingProxyType(
    {role: {"theory": 1.1, "test": 2.4}.get(role, 1.9) for role in ROLES}
)
MARKERS: Mapping[str, str] = MappingProxyType(
    {
        "train": "square",
        "test": "circle",
        "control": "diamond",
        "theory": "cross",
        "ensemble": "triangle-up",
        "other": "circle",
        "norm": "triangle-down",
    }
)
_MARKER_CYCLE = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")


@dataclass(frozen=True)
class Style:
    """How one series looks, in every panel of a figure.

    Attributes:
        key: short name, unique in the figure, such as "s0". label: text that the reader sees.
        role: of the series. shade: 0 (full colour) to `N_SHADES` - 1.
        dash: lengths in pixels, () for solid. marker: Vega symbol. width: of the line, pixels.
    """

    key: str
    label: str
    role: str
    shade: int
    dash: tuple[float, ...]
    marker: str
    width: float

    @property
    def color(self) -> str:
        """Name of the colour in a palette."""
        return f"{self.role}-{self.shade}"


def style_series(series: Sequence[Series]) -> dict[tuple[str, str, bool], Style]:
    """Return the style of each distinct (label, role, dashed), in order of appearance.

    One role's series share its hue and spread over its shades, so that an ordered family (such as
    widths) is seen as one.
    """
    identities = list(dict.fromkeys((s.label, s.role, s.dashed) for s in series))
    styles: dict[tuple[str, str, bool], Style] = {}
    for number, (label, role, dashed) in enumerate(identities):
        before, kin = identities[:number], [i[1:] for i in identities].count((role, dashed))
        # Dashed and solid are ranked apart: a dashed companion has its partner's colour.
        place = [i[1:] for i in before].count((role, dashed))
        n_same_label = [i[0] for i in before].count(label)
        first = _MARKER_CYCLE.index(MARKERS[role])
        n_same_role = [i[1] for i in before].count(role)
        styles[label, role, dashed] = Style(
            key=f"s{number}",
            label=f"{label} ({n_same_label + 1})" if n_same_label else label,
            role=role,
            shade=round((N_SHADES - 1) * place / max(kin - 1, 2)),
            dash=SECOND_DASHES[role] if dashed else DASHES[role],
            marker=_MARKER_CYCLE[(first + n_same_role) % len(_MARKER_CYCLE)],
            width=WIDTHS[role],
        )
    return styles


def mix(color: str, paper: str, share: float) -> str:
    """Return `color` with `share` of `paper` mixed in (both "#rrggbb", share in [0, 1]).

    >>> mix("#000000", "#ffffff", 0.5)
    '#808080'
    """
    pairs = [(int(color[i : i + 2], 16), int(paper[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _palette(roles: Mapping[str, str], paper: Mapping[str, str]) -> Mapping[str, str]:
    shades = {
        f"{role}-{k}": mix(color, paper["paper"], _LIGHTEST * k / (N_SHADES - 1))
        for role, color in roles.items()
        for k in range(N_SHADES)
    }
    return MappingProxyType({**paper, **shades})


LIGHT = _palette(_LIGHT_ROLES, _LIGHT_PAPER)
DARK = _palette(_DARK_ROLES, _DARK_PAPER)
# The page's drawings name variables, so that one drawing follows the theme, also in print.
PAGE: Mapping[str, str] = MappingProxyType({name: f"var(--{name})" for name in LIGHT})
