"""Settings: what is refused before anything runs, and whose fault a design that ends is."""

from __future__ import annotations

import dataclasses

import pytest

from overparam.checks import check_count
from overparam.errors import CodeError, UsageError
from overparam.lab.phenomenon import Scale, factor
from overparam.lab.settings import check_settings, whole_numbers


@dataclasses.dataclass(frozen=True)
class Condition:
    depth: int = factor(0, low=1, high=20, doc="0: placed by the design")
    depths: str = factor("2 9")
    kernel_size: int = factor(5, low=1, odd=True)
    ratio: float = factor(1.0, low=0)
    arm: str = factor("treatment", choices=("treatment", "control"), instead="depths")


def designed(tiny, cells):
    return dataclasses.replace(
        tiny, condition=Condition, cells=cells, scales={"smoke": Scale(Condition(), 2)}
    )


def listed(base):
    return [
        dataclasses.replace(base, depth=d) for d in whole_numbers(base, "depths", places="depth")
    ]


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"depths": "a b"}, "depths must be whole numbers, with spaces.*got 'a b'"),
        ({"depths": "1.5"}, r"depths must be whole numbers.*of each \[1, 20\]"),
        ({"depths": " "}, "depths must be whole numbers"),
        ({"depths": "9" * 5000}, "depths must be whole numbers"),
        ({"depths": "2 0"}, "depths is out of range; got 0"),
        ({"depths": "2 21"}, "depths is out of range; got 21"),
        ({"depths": "9" * 30}, "depths is out of range"),
        ({"depth": 0}, "depth is out of range; got 0"),
        ({"kernel_size": 4}, r"kernel_size must be odd; got 4; allowed: \[1, inf\), odd"),
        ({"arm": "control"}, "arm is placed by the design; got 'arm=control'; set depths"),
        ({"ratio": "x"}, "ratio must be a number"),
    ],
)
def test_a_setting_out_of_range_is_refused(tiny, settings, match):
    with pytest.raises(UsageError, match=match):
        designed(tiny, listed).conditions("smoke", settings)


def test_a_number_keeps_its_kind_and_a_whole_one_all_its_digits(tiny):
    checked = check_settings(Condition, {"ratio": "14", "depth": "1e1"})
    assert [type(v) for v in checked.values()] == [float, int]

    @dataclasses.dataclass(frozen=True)
    class Wide:
        number: int = factor(0)

    assert check_settings(Wide, {"number": "9007199254740993"}) == {"number": 2**53 + 1}


def test_lists_are_read_once_each_and_rising(tiny):
    found = designed(tiny, listed).conditions("smoke", {"depths": "9 3 9"})
    assert [c.depth for c in found] == [3, 9]


def ends(base):
    return [dataclasses.replace(base, depth=[5][round(base.ratio) - 1])]


def test_a_design_that_ends_with_a_setting_names_it(tiny):
    phenomenon = designed(tiny, ends)
    assert len(phenomenon.conditions("smoke")) == 1
    with pytest.raises(UsageError, match=r"cannot be made.*got 'ratio=7.0 \(IndexError") as refused:
        phenomenon.conditions("smoke", {"ratio": 7, "kernel_size": 3})
    assert "kernel_size" not in str(refused.value)


def refuses(base):
    return [dataclasses.replace(base, depth=check_count("threshold", round(base.ratio), 1))]


def test_what_a_design_calls_names_no_setting_and_the_error_does(tiny):
    with pytest.raises(UsageError, match=r"got 'ratio=0.0 \(threshold is out of range; got 0"):
        designed(tiny, refuses).conditions("smoke", {"ratio": 0})


def always_ends(base):
    return [1 / 0]


@pytest.mark.parametrize("settings", [{}, {"ratio": 2}])
def test_a_design_that_ends_without_settings_too_is_the_codes_fault(tiny, settings):
    with pytest.raises(CodeError, match=r"cells of .* ZeroDivisionError.*test_settings.py"):
        designed(tiny, always_ends).conditions("smoke", settings)


def test_a_design_without_cells_is_the_codes_fault(tiny):
    with pytest.raises(CodeError, match="it returned no cells"):
        designed(tiny, lambda base: []).conditions("smoke")


def far(base):
    return [dataclasses.replace(base, depth=round(10 * base.ratio))]


def test_what_the_design_places_lies_in_the_fields_range(tiny):
    with pytest.raises(UsageError, match=r"places depth out of range.*got '30, from ratio=3.0'"):
        designed(tiny, far).conditions("smoke", {"ratio": 3})
    broken = designed(tiny, lambda base: [dataclasses.replace(base, depth=30)])
    with pytest.raises(CodeError, match=r"cells of .* places depth out of range; got 30"):
        broken.conditions("smoke")


def test_what_is_not_a_number_is_in_no_range(tiny):
    broken = designed(tiny, lambda base: [dataclasses.replace(base, depth=2, ratio=float("nan"))])
    with pytest.raises(CodeError, match=r"places ratio out of range; got nan"):
        broken.conditions("smoke")


def test_equal_numbers_of_other_types_are_other_cells(tiny):
    values = [1, 1.0, True, 1]
    kind = dataclasses.make_dataclass("Condition", [("a", object), ("b", float, 1.0)], frozen=True)
    made = dataclasses.replace(
        tiny,
        condition=kind,
        scales={"smoke": dataclasses.replace(tiny.scales["smoke"], base=kind(0))},
        cells=lambda base: [kind(v) for v in values] + [kind(0, v) for v in (1, 1.0)],
    )
    assert [repr(c.a) for c in made.conditions("smoke")] == ["1", "1.0", "True", "0"]
