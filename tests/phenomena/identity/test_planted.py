"""The effect planted in a control, as the control's own sentence would be falsified."""

from __future__ import annotations

import pytest

from overparam import phenomena
from overparam.lab.phenomenon import TREATMENT
from tests.phenomena.worlds import identity
from tests.phenomena.worlds.studies import study

CASES = [
    pytest.param(name, arm, world, id=f"{name}-{arm}-{world.__name__}")
    for name, arms in identity.PLANTED.items()
    for arm, worlds in arms.items()
    for world in worlds
]


def test_every_control_has_its_effect_planted():
    for name in phenomena.names():
        if name.startswith("identity/"):
            found = phenomena.find(name)
            arms = set(found.summarise(study(name, identity.EFFECTS[name], 0))) - {TREATMENT}
            assert set(identity.PLANTED[name]) == arms


@pytest.mark.parametrize(("name", "arm", "world"), CASES)
def test_a_control_with_the_effect_is_observed(name, arm, world):
    found = phenomena.find(name)
    for i in range(8):
        summaries = found.summarise(study(name, world, i))
        assert found.verdict(summaries[arm]).kind == "observed"
