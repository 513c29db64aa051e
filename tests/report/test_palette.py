"""The palette keeps what it promises: colours apart for every kind of sight."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from overparam.lab.figure import Series
from overparam.report.palette import (
    DARK,
    DASHES,
    LIGHT,
    MARKERS,
    N_SHADES,
    ROLES,
    report_looks,
    style_series,
)

# Machado, Oliveira, Fernandes 2009, severity 1.0, for linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def _linear(color: str) -> np.ndarray:
    c = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    t = np.array(to_xyz) @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def _contrast(a: str, b: str) -> float:
    light = sorted(float(_linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (light[1] + 0.05) / (light[0] + 0.05)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_roles_stay_apart(palette, sight):
    colors = [_lab(SIGHT[sight] @ _linear(palette[f"{r}-0"])) for r in ROLES]
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(colors, 2)]
    assert min(distances) >= 20


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_names_are_readable(palette):
    for role in ROLES:
        assert _contrast(palette[f"{role}-0"], palette["paper"]) >= 4.3
    for name in ("ink", "muted"):
        assert _contrast(palette[name], palette["paper"]) >= 4.5


def test_greyscale_print_tells_roles_apart():
    # Where the grey levels are close, dash or marker must differ.
    grey = {
        r: _lab(np.full(3, _linear(LIGHT[f"{r}-0"]) @ [0.2126, 0.7152, 0.0722]))[0] for r in ROLES
    }
    for a, b in itertools.combinations(ROLES, 2):
        different = DASHES[a] != DASHES[b] or MARKERS[a] != MARKERS[b]
        assert different or abs(grey[a] - grey[b]) > 15, (a, b)


def _series(label, role="other", dashed=False):
    return Series(label, role, np.arange(2.0), np.arange(2.0), dashed=dashed)


def test_series_of_one_role_spread_over_its_shades():
    styles = list(style_series([_series(f"width {k}") for k in range(12)]).values())
    shades = [s.look.shade for s in styles]
    assert shades == sorted(shades)
    assert set(shades) == set(range(N_SHADES))
    assert len({(s.look.shade, s.look.marker) for s in styles}) == 12


def test_dashed_partner_keeps_the_colour():
    plain, dashed = style_series([_series("a", "test"), _series("b", "test", True)]).values()
    assert plain.color == dashed.color
    assert plain.dash != dashed.dash


def test_same_name_in_two_roles_is_told_apart():
    styles = style_series([_series("error", "train"), _series("error", "test")])
    assert [s.label for s in styles.values()] == ["error", "error (2)"]
    assert len({s.key for s in styles.values()}) == 2


def test_same_series_in_two_panels_is_one():
    assert len(style_series([_series("error", "train"), _series("error", "train")])) == 1


def test_a_name_keeps_its_look_through_a_report():
    first = [_series("minimum norm", "test"), _series("ridge", "control")]
    second = [_series("minimum norm", "norm"), _series("ridge", "control"), _series("new", "test")]
    looks = report_looks([first, second])
    styles = {s.label: s for s in style_series(second, looks).values()}
    for style in style_series(first, looks).values():
        again = styles[style.label]
        assert (again.color, again.dash, again.look.marker) == (
            style.color,
            style.dash,
            style.look.marker,
        )
    assert (
        len({s.color for s in styles.values()}) == 3
    )  # a new name is not mistaken for a known one
    assert styles["minimum norm"].role == "norm"


def test_many_new_names_beside_a_known_one_differ():
    looks = report_looks([[_series("a", "test")]])
    styles = style_series([_series(k, "test") for k in "abcde"], looks).values()
    assert len({s.color for s in styles}) == N_SHADES
