"""Jobs sent by value: what arrives is what went, large arrays are mapped, nothing is left."""

from __future__ import annotations

import dataclasses
import functools
import pickle
import sys
import threading
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest
import torch

from overparam.errors import ResourceError, UsageError
from overparam.lab.parcel import SHARED_BYTES, Sent, pack, run_sent, tasks_of
from overparam.lab.run_folder import run_folder, shared_folder
from overparam.lab.runner import run_study
from tests.lab.test_broken_code import local

LARGE = SHARED_BYTES // 8 + 1  # numbers of eight bytes


def given(job, report):
    """Return the job itself, as a worker has it."""
    report(1.0)
    return job


def opened(path, name="job"):
    """What a worker has of a job, in this process."""
    return run_sent(Sent(path, name, "tests.lab.test_parcel:given"), lambda done: None).result


def test_large_arrays_are_written_once_and_mapped(tmp_path):
    array = np.random.default_rng(0).normal(size=LARGE)
    numbers = torch.arange(2.0 * LARGE, dtype=torch.float64)
    held = {"a": array, "b": [array, lambda: array], "t": numbers, "view": numbers[4:].view(-1, 2)}
    path, _ = pack({"job": held, "other": array}, tmp_path)
    assert path.stat().st_size < 5000
    assert len(list(tmp_path.iterdir())) == 3  # the jobs, the array, and the tensor's memory
    found = opened(path)
    assert np.array_equal(found["a"], array)
    assert type(found["a"]) is np.ndarray
    assert isinstance(found["a"].base, np.memmap)
    assert found["a"] is found["b"][0] is found["b"][1]()
    assert torch.equal(found["view"], numbers[4:].view(-1, 2))
    # What is written is this process's: not in the file, not in what was sent.
    found["a"][0], found["t"][4] = 7.0, -1.0
    assert found["view"][0, 0] == -1.0
    (file,) = [p for p in tmp_path.glob("*.npy") if p.read_bytes().startswith(b"\x93NUMPY")]
    assert np.array_equal(np.load(file), array)
    assert (array[0], numbers[4]) != (7.0, -1.0)


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(3),
        np.array([{"an": "object"}] * LARGE),
        np.zeros((LARGE, 2))[:, 0],
        torch.zeros(3),
        torch.zeros(LARGE, dtype=torch.int64).view(-1, 1).t(),
        torch.nn.Linear(1, LARGE),
    ],
    ids=["small", "objects", "strided", "small tensor", "transposed", "module"],
)
def test_what_arrives_is_what_went(tmp_path, value):
    found = opened(pack({"job": value}, tmp_path)[0])
    assert type(found) is type(value)
    if isinstance(value, torch.nn.Module):
        found, value = found.weight, value.weight
        assert isinstance(found, torch.nn.Parameter)
    same = torch.equal if isinstance(value, torch.Tensor) else np.array_equal
    assert found.dtype == value.dtype
    assert same(found, value)


def test_tables_are_mapped(tmp_path):
    frame = pd.DataFrame({"a": np.arange(LARGE), "b": np.arange(LARGE) / 2, "c": ["x"] * LARGE})
    path, _ = pack({"job": frame[["a", "b"]], "other": frame}, tmp_path)
    assert len(list(tmp_path.iterdir())) >= 3
    assert opened(path, "other").equals(frame)
    assert opened(path).equals(frame[["a", "b"]])


def test_classes_caches_and_marks_of_dataclasses_survive(tmp_path):
    @dataclass(frozen=True)
    class Condition:
        level: int
        names: list = field(default_factory=list, metadata={"unit": "m"})

    @functools.lru_cache(maxsize=3)
    def cached(x):
        return [x]

    path, classes = pack({"job": (Condition(1), Condition, cached)}, tmp_path)
    assert classes == [Condition]
    condition, kind, function = opened(path)
    assert condition == Condition(1)
    level, names = dataclasses.fields(kind)
    assert level.default is dataclasses.MISSING
    assert names.metadata["unit"] == "m"
    assert kind(2).names == []
    assert function(5) is function(5)
    assert function.cache_parameters()["maxsize"] == 3


def test_what_comes_back_is_of_the_classes_that_went(tmp_path):
    @dataclass
    class Outcome:
        size: float

    with tasks_of({"job": Outcome(2.0)}, "tests.lab.test_parcel:given", 1, tmp_path) as sent:
        ((task,), n_processes, notes) = sent
        assert (n_processes, notes) == (1, [])
        message = pickle.dumps(run_sent(task.payload, lambda done: None))
        before = dict(vars(Outcome))
        found = pickle.loads(message)
        assert type(found) is Outcome
        assert found == Outcome(2.0)
    assert vars(Outcome) == before  # the class is not made anew from what was sent
    with pytest.raises(KeyError):  # of a run that has ended
        pickle.loads(message)


def test_what_cannot_be_sent_runs_here_with_a_note(tiny):
    lock = threading.Lock()

    async def run(c, streams):
        with lock:
            return tiny.outcome(0.25, np.zeros(3))

    result = run_study(replace(tiny, run=run), "smoke", workers=2)
    assert result.complete
    (note,) = [n for n in result.provenance["notes"] if "in this process" in n]
    assert "cannot be sent to worker processes" in note
    assert "TypeError: cannot pickle" in note
    assert "locks" in note


def test_what_no_worker_can_rebuild_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be rebuilt in a worker.*ValueError.*workers=0"):
        opened(pack({"job": NotRebuilt()}, tmp_path)[0])


class NotRebuilt:
    def __reduce__(self):
        return int, ("no number",)


def test_no_room_for_what_is_shared(full_disk):
    full_disk.fill(free=1 << 16)
    with pytest.raises(ResourceError, match=r"no room for what the workers share.*free some"):
        pack({"job": np.zeros(LARGE)}, full_disk.folder)


def test_nothing_is_left_and_what_a_killed_run_left_is_swept(tiny, tmp_path):
    left = tmp_path / ".workers" / "array-0.npy"
    left.parent.mkdir()
    left.write_bytes(b"0")
    run_study(replace(tiny, run=local(tiny)), "smoke", workers=0, folder=tmp_path)
    assert not left.parent.exists()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_stands_in_place_of_the_shared_folder_is_not_followed(tmp_path, stand_at, kind):
    target = tmp_path / "far"
    target.mkdir()
    (target / "kept").write_text("")
    place = tmp_path / ".workers"
    if kind == "link":
        place.symlink_to(target)
    else:
        stand_at(place, kind)
    with shared_folder(tmp_path) as folder:
        assert list(folder.iterdir()) == []
    assert (target / "kept").exists()


def test_no_place_for_a_folder(tmp_path):
    with (
        pytest.raises(ResourceError, match=r"no place for what the workers share"),
        shared_folder(tmp_path / "missing"),
    ):
        pass


def test_no_room_for_temporary_files(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(ResourceError, match="no room for temporary files"), run_folder(None):
        pass


def test_parts_of_packages_that_inner_code_names_are_imported_first(tmp_path, monkeypatch):
    (tmp_path / "a_package").mkdir()
    (tmp_path / "a_package" / "__init__.py").write_text("")
    (tmp_path / "a_package" / "part.py").write_text("def f(): return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = type(sys)("a_notebook")
    exec("import a_package.part\ndef run(): return [a_package.part.f() for _ in 'a']", vars(module))
    path, _ = pack({"job": module.run}, tmp_path)
    package = sys.modules["a_package"]
    monkeypatch.delitem(sys.modules, "a_package.part")
    monkeypatch.delattr(package, "part")
    assert opened(path)() == [1]
