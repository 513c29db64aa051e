"""Outcomes whose arrays are read when they are looked at: nothing else tells them apart."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from overparam.lab.encoding import ArrayAt
from overparam.lab.lazy import holds_array, outcome_of, read_all, stored_value
from overparam.lab.store import Store
from tests.lab.test_store import DEMO, LARGE, Outcome, record

AT = ArrayAt("ab", (3,), "float64", 24)


@dataclasses.dataclass(frozen=True)
class Plain:
    error: float
    weights: object = None  # a default must not stand in for what is on the disk
    layers: tuple = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    error: float
    weights: object = None
    layers: tuple = ()


@dataclasses.dataclass(frozen=True)
class Computing:
    error: float
    weights: object = None
    layers: tuple = ()
    twice: float = dataclasses.field(init=False, default=0.0)

    def __post_init__(self):
        object.__setattr__(self, "twice", 2 * self.error)


@pytest.fixture
def reads():
    return []


@pytest.fixture(params=[Plain, Slotted, Computing])
def kind(request):
    return request.param


@pytest.fixture
def lazy(kind, reads):
    def read(at):
        reads.append(at.address)
        return np.arange(3.0)

    values = {"error": 0.5, "weights": AT, "layers": (AT, [AT, {"last": AT}]), "twice": 1.0}
    names = [f.name for f in dataclasses.fields(kind)]
    return outcome_of(kind, {name: values[name] for name in names}, read)


def test_an_array_is_read_when_its_field_is_looked_at_and_once(lazy, reads):
    assert lazy.error == 0.5
    assert reads == []
    np.testing.assert_array_equal(lazy.weights, np.arange(3.0))
    assert lazy.weights is lazy.weights
    assert reads == ["ab"]
    first, (second, last) = lazy.layers
    assert len(reads) == 4
    assert first is not second
    assert last["last"].sum() == 3


def test_it_passes_for_an_instance_of_its_class(lazy, kind):
    assert isinstance(lazy, kind)
    assert lazy.__class__ is kind
    assert [f.name for f in dataclasses.fields(lazy)] == [f.name for f in dataclasses.fields(kind)]
    assert dataclasses.replace(lazy, weights=1, layers=()) == kind(0.5, 1, ())
    assert kind(0.5, 1, ()) == dataclasses.replace(lazy, weights=1, layers=())
    assert repr(lazy).startswith(f"{kind.__name__}(error=0.5, weights=array([0., 1., 2.])")
    assert dataclasses.asdict(lazy)["weights"].sum() == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        lazy.error = 1.0


def test_lazy_and_made_ones_are_equal_where_their_arrays_are(kind):
    numbers = 7.0  # what is read; arrays themselves have no single truth
    values = {f.name: 0.5 for f in dataclasses.fields(kind)} | {"weights": AT, "twice": 1.0}
    values = {f.name: values[f.name] for f in dataclasses.fields(kind)}
    lazy = outcome_of(kind, values, lambda at: numbers)
    made = kind(0.5, 7.0, 0.5)
    assert (lazy == made, made == lazy, lazy == kind(0.5, 8.0, 0.5)) == (True, True, False)
    assert hash(lazy) == hash(made)


@pytest.mark.parametrize("travel", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
def test_it_travels_as_what_its_class_makes(lazy, kind, travel):
    there = travel(lazy)
    assert type(there) is kind
    np.testing.assert_array_equal(there.weights, lazy.weights)
    assert there.error == 0.5


def test_what_is_stored_is_told_without_reading(lazy, reads):
    assert stored_value(lazy, "weights") == AT
    assert holds_array(stored_value(lazy, "layers"))
    assert stored_value(lazy, "error") == 0.5
    assert reads == []
    read_all(lazy)
    assert len(reads) == 4
    assert stored_value(lazy, "weights").sum() == 3
    read_all(None)


def test_without_arrays_the_class_itself_makes_it(kind):
    values = {"error": 1.0, "weights": None, "layers": (), "twice": 2.0}
    found = outcome_of(kind, {f.name: values[f.name] for f in dataclasses.fields(kind)}, None)
    assert type(found) is kind
    assert found == kind(1.0)


def test_a_summary_of_numbers_reads_no_array(tmp_path, monkeypatch):
    monkeypatch.setattr(Store, "array", lambda self, at: pytest.fail("an array was read"))
    with Store.open(tmp_path, DEMO) as store:
        store.write([record(n, trace=np.full(LARGE, n)) for n in range(1, 20)], "a")
        found = store.read(DEMO)
    assert sum(r.value("test_error") for r in found) == 9.5
    assert all(isinstance(r.outcome, Outcome) for r in found)


def test_arrays_can_be_read_after_the_store_was_closed(tmp_path):
    with Store.open(tmp_path, DEMO) as store:
        store.write([record(1, trace=np.ones(3)), record(2, trace=(np.ones(LARGE), 2))], "a")
    with Store.read_only(tmp_path) as store:
        small, large = store.read(DEMO)
    assert small.outcome.trace.sum() == 3
    assert large.outcome.trace[0].sum() == LARGE
    assert not any(p.stat().st_size for p in tmp_path.glob("*-wal"))
