from dataclasses import replace

import pytest

from overparam.lab.records import Record, Records
from overparam.lab.verdict import Interval
from overparam.phenomena.identity._left_out import LeftOut
from overparam.phenomena.identity._levels import levels_of, preferred, text_of
from overparam.probes.identity_probe import PHENOMENON
from tests.phenomena.worlds.preferences import map_of as outcome

NAN = float("nan")


@pytest.mark.parametrize(
    ("low", "estimate", "high", "word"),
    [
        (0.6, 0.8, 1.0, "the identity"),
        (-1.0, -0.8, -0.6, "the constant"),
        (-0.3, 0.0, 0.3, "neither"),
        (0.3, 0.6, 0.9, "undecided"),
        (NAN, 0.9, NAN, "the identity"),  # one seed: its number is all there is
        (NAN, 0.1, NAN, "neither"),
    ],
)
def test_preferences_in_words(low, estimate, high, word):
    preference = Interval(estimate, low, high, n=3)
    like = [
        Interval(*((1 + side * x) / 2 for x in (estimate, *ends)), n=3)
        for side, ends in ((1, (low, high)), (-1, (high, low)))
    ]
    assert preferred(preference, *like) == word


@pytest.mark.parametrize(
    ("preference", "like_identity", "like_constant", "word"),
    [
        (1.0, (-1.9, -1.8), (-2.0, -1.9), "neither"),  # the negative of the training image
        (-1.0, (-2.0, -1.9), (-1.9, -1.8), "neither"),  # the negative of the input
        (-1.6, (-0.9, -0.8), (0.1, 0.2), "neither"),  # the training image less the input
        (-0.9, (0.0, 0.1), (0.4, 0.6), "undecided"),
        (0.9, (0.4, 0.6), (0.0, 0.1), "undecided"),
        (0.9, (NAN, NAN), (NAN, NAN), "undecided"),
    ],
)
def test_what_is_preferred_must_be_like_it_too(preference, like_identity, like_constant, word):
    like = [Interval(sum(ends) / 2, *ends, n=3) for ends in (like_identity, like_constant)]
    assert preferred(Interval(preference, preference - 0.1, preference + 0.1, n=3), *like) == word


def inverting(target, start):
    """Records of the probe: outputs that follow the input's negative, more or less."""
    c = PHENOMENON.conditions("standard", {"target": target})[0]
    trained = outcome(-1.62, identity_correlation=-0.45, constant_correlation=0.75)
    untrained = outcome(-1.0, identity_correlation=-1.0, constant_correlation=start)
    return Records(
        [
            Record(one, seed, replace(made, preference=made.preference + 0.01 * seed))
            for seed in range(3)
            for one, made in ((c, trained), (replace(c, arm="untrained"), untrained))
        ]
    )


def test_the_probe_does_not_call_an_inverted_input_the_constant():
    """b - k x, as it starts and when b has learned the image, is far from either map."""
    summaries = PHENOMENON.summarise(inverting("same_convnet:depth=2", -0.27))
    kinds = {arm: PHENOMENON.verdict(summary).kind for arm, summary in summaries.items()}
    assert kinds == {"treatment": "absent", "untrained": "absent"}
    said = PHENOMENON.verdict(summaries["treatment"]).reason
    assert "on these images neither (preference -1.610 [-1.635, -1.585], but a correlation" in said
    assert "-0.45" in said
    assert {level.prefers for level in levels_of(summaries)} == {"neither"}


def test_nothing_is_preferred_by_what_did_not_fit():
    unknown = Interval(NAN, NAN, NAN)
    three = (unknown, unknown, unknown)
    assert preferred(*three, LeftOut(3, reached=(5e-6,))) == "did not fit"
    assert preferred(*three, LeftOut(3, n_failed=3)) == "not measured"


def test_the_probe_says_what_was_reached_and_what_to_set():
    c = PHENOMENON.conditions("standard", {"target": "same_convnet:depth=2"})[0]
    made = outcome(NAN, learned=False, train_loss=5.01e-6)
    records = Records([Record(c, seed, made) for seed in range(3)]).completed(
        [(x, s) for x in (c, replace(c, arm="untrained")) for s in range(3)]
    )
    verdict = PHENOMENON.verdict(PHENOMENON.summarise(records)["treatment"])
    assert verdict.kind == "inconclusive"
    assert (
        "did not fit (squared error 5e-06 per pixel reached, 1e-06 asked for; set max_steps above "
        "5,000, or target_loss to 5.1e-06)" in verdict.reason
    )
    assert "nan" not in verdict.reason


def test_one_seed_has_no_interval_to_show():
    assert text_of(Interval(0.5, NAN, NAN)) == "0.5"
    assert text_of(Interval(0.5, 0.4, 0.6)) == "0.50 [0.40, 0.60]"


@pytest.mark.parametrize(
    ("levels", "places"),
    [("2,4,8", [2, 4, 8]), ("0.5, 1.5", [0.5, 1.5]), ("8,4", [1, 2]), ("relu,tanh", [1, 2])],
)
def test_levels_that_rise_lie_at_their_values_and_others_in_order(levels, places):
    found = PHENOMENON.conditions("standard", {"sweep": "depth", "levels": levels})
    assert [c.place for c in found if c.arm == "trained"] == places
    assert [c.arm for c in found] == ["trained", "untrained"] * len(places)


def test_without_a_sweep_there_is_one_level():
    assert len(PHENOMENON.conditions("standard", {"target": "same_convnet:depth=2"})) == 2
