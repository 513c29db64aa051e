"""Keys of records: what they depend on."""

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from overparam.lab.store import record_key
from tests.lab.test_store import Condition


def test_key_depends_on_every_part_and_on_nothing_else():
    key = record_key("demo", 1, Condition(10), 0)
    assert key == record_key("demo", 1, Condition(10, 0.0, "treatment", (1, 2)), 0)
    others = [
        record_key("other", 1, Condition(10), 0),
        record_key("demo", 2, Condition(10), 0),
        record_key("demo", 1, Condition(10), 1),
        *(
            record_key("demo", 1, dataclasses.replace(Condition(10), **change), 0)
            for change in ({"n_train": 11}, {"ridge": 1e-300}, {"arm": "a"}, {"widths": (1, 3)})
        ),
    ]
    assert len({key, *others}) == 1 + len(others)


def test_key_is_the_same_today_and_tomorrow():
    # Computed by hand: SHA-256 of the canonical text, so that a change of the rule is noticed.
    import hashlib

    text = (
        '{"condition":{"arm":"treatment","n_train":10,"ridge":0.1,"widths":{"$tuple":[1,2]}},'
        '"phenomenon":"demo","revision":1,"seed":3}'
    )
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert record_key("demo", 1, Condition(10, 0.1), 3) == expected


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_equal_conditions_and_only_they_have_equal_keys(a, b):
    keys = [record_key("demo", 1, Condition(1, ridge), 0) for ridge in (a, b)]
    assert (keys[0] == keys[1]) == (a == b)


def test_whole_and_numpy_numbers_key_like_the_floats_they_equal():
    keys = {
        record_key("demo", 1, Condition(1, ridge), 0)
        for ridge in (2, 2.0, np.float64(2), np.int8(2))
    }
    assert len(keys) == 1
