"""What is said of networks that do not fit."""

from types import SimpleNamespace

import pytest

from overparam.lab.records import Record
from overparam.phenomena.identity._figures import training_note
from overparam.phenomena.identity._left_out import LeftOut, left_out_of, tell, unfitted
from overparam.phenomena.identity.by_depth import Condition
from overparam.phenomena.identity.one_layer_theorem import Condition as OneLayer
from tests.phenomena.worlds.preferences import map_of

NAN = float("nan")
UNFIT = "squared error 0.0005 per pixel reached, 1e-05 asked for; set max_steps above 6,000, or "


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({}, ""),
        ({"learned": False, "train_loss": 5e-4}, f"did not fit: {UNFIT}target_loss to 5.0e-04"),
        ({"learned": False, "n_steps": 0, "train_loss": NAN}, "not trained"),
    ],
)
def test_a_network_that_was_never_trained_did_not_fail_to(changed, note):
    assert training_note(Record(Condition(), 0, map_of(0.5, **changed))) == note


def test_what_is_left_out_is_told_by_kind():
    bad = map_of(0.0, learned=False, train_loss=3e-5)
    records = [
        Record(Condition(), 0, map_of(0.5)),
        Record(Condition(), 1, bad),
        Record(Condition(), 2, bad, "diverged"),
        Record(Condition(), 3, None, "failed"),
        Record(Condition(), 4, None, "unrun"),
    ]
    found = left_out_of(records)
    assert (found.n_planned, found.n_judged, found.n_not_fitted) == (5, 1, 1)
    assert str(found).startswith("Left out of 5 networks: 1 did not fit (squared error 3e-05 per")
    assert str(found).endswith("), 1 diverged, 1 failed, 1 not run.")
    both = left_out_of(records[:1]) + found
    assert (both.n_planned, both.asked, both.steps) == (6, 1e-5, 6000)
    assert tell({"a": left_out_of(records[:1])}) == "Every network fits its training images."
    assert str(LeftOut()) == ""


def test_a_loss_that_no_factor_sets_is_not_offered():
    unfit = SimpleNamespace(learned=False, train_loss=3e-5)
    said = left_out_of([Record(OneLayer(), 0, unfit)]).remedy
    assert said == "squared error 3e-05 per pixel reached; set max_steps above 10,000"
    lost = SimpleNamespace(learned=False, train_loss=NAN)
    assert (
        "no finite squared error was reached" in left_out_of([Record(OneLayer(), 0, lost)]).remedy
    )


def test_networks_that_are_asked_for_next_to_nothing_have_not_fitted():
    """With a loss that any network has, all would count as fitted."""
    lax = left_out_of([Record(Condition(target_loss=0.1), 0, map_of(0.5))])
    (clause,) = unfitted(left_out_of([Record(Condition(), 0, map_of(0.5))]), lax)
    assert str(clause) == "networks that fit their training images: undecided (not in the design)"
    # Nor is such a loss offered as a remedy.
    bad = left_out_of([Record(Condition(), 0, map_of(0.0, learned=False, train_loss=0.02))])
    assert bad.remedy.endswith("set max_steps above 6,000")
