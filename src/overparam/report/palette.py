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
class Look:
    """What a name is known by in all figures of one report.

    Attributes:
        hue: the role whose colour and dash it has. shade: 0 (full colour) to `N_SHADES` - 1.
        marker: Vega symbol.
    """

    hue: str
    shade: int
    marker: str


@dataclass(frozen=True)
class Style:
    """How one series looks, in every panel of a figure.

    Attributes:
        key: short name, unique in the figure, such as "s0". label: text that the reader sees.
        role: of the series. look: its colour and marker.
        dash: lengths in pixels, () for solid. width: of the line, pixels.
    """

    key: str
    label: str
    role: str
    look: Look
    dash: tuple[float, ...]
    width: float

    @property
    def color(self) -> str:
        """Name of the colour in a palette."""
        return f"{self.look.hue}-{self.look.shade}"

    @property
    def ink(self) -> str:
        """Name of the colour of its text, which is the full one of its hue."""
        return f"{self.look.hue}-0"


Identity = tuple[str, str, bool]  # label, role, dashed
Looks = Mapping[str, Look]  # of each name in a report


def report_looks(charts: Sequence[Sequence[Series]]) -> Looks:
    """Return the look of each name over all charts of a report: that of its first appearance."""
    looks: dict[str, Look] = {}
    for series in charts:
        for (label, _, _), style in style_series(series, looks).items():
            looks.setdefault(label, style.look)
    return looks


def style_series(series: Sequence[Series], known: Looks | None = None) -> dict[Identity, Style]:
    """Return the style of each distinct (label, role, dashed), in order of appearance.

    One role's series share its hue and spread over its shades, so that an ordered family (such as
    widths) is seen as one. A name that is `known` keeps its look, and new ones take what is free.
    """
    identities = list(dict.fromkeys((s.label, s.role, s.dashed) for s in series))
    looks = _choose(identities, known or {})
    styles: dict[Identity, Style] = {}
    for number, (label, role, dashed) in enumerate(identities):
        look = looks[label, role, dashed]
        n_same_label = [i[0] for i in identities[:number]].count(label)
        styles[label, role, dashed] = Style(
            key=f"s{number}",
            label=f"{label} ({n_same_label + 1})" if n_same_label else label,
            role=role,
            look=look,
            dash=SECOND_DASHES[look.hue] if dashed else DASHES[look.hue],
            width=WIDTHS[look.hue],
        )
    return styles


def _choose(identities: Sequence[Identity], known: Looks) -> dict[Identity, Look]:
    firsts: dict[str, Identity] = {}
    for identity in identities:
        firsts.setdefault(identity[0], identity)
    # Where one chart gives a name two roles, they are two things: only the first is the known one.
    looks = {i: known[label] for label, i in firsts.items() if label in known}
    kept = dict(looks)
    new = [i for i in identities if i not in looks]
    for number, (label, role, dashed) in enumerate(new):
        # Dashed and solid are ranked apart: a dashed companion has its partner's colour.
        kin, place = ([i[1:] for i in some].count((role, dashed)) for some in (new, new[:number]))
        shade = round((N_SHADES - 1) * place / max(kin - 1, 2))
        taken = {k.shade for i, k in kept.items() if k.hue == role and i[2] == dashed}
        if shade in taken:
            shade = _farthest_from(taken)
        first = _MARKER_CYCLE.index(MARKERS[role])
        n_same_role = [k.hue for k in looks.values()].count(role)
        marker = _MARKER_CYCLE[(first + n_same_role) % len(_MARKER_CYCLE)]
        look = Look(role, shade, marker)
        looks[label, role, dashed] = look
        if kept:  # beside fixed ones the spread no longer keeps the new ones apart
            kept[label, role, dashed] = look
    return looks


def _farthest_from(taken: set[int]) -> int:
    return max(range(N_SHADES), key=lambda shade: (min(abs(shade - t) for t in taken), -shade))


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
