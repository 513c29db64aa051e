"""Choices are made once and shared through the machine's file; a clock decides nothing twice."""

from __future__ import annotations

import json
import os

import pytest
import torch

from overparam.cache import cache_home
from overparam.threads import one_thread, spread
from overparam.training import choices
from overparam.training.choices import Choices, choices_file, machine_choices
from overparam.training.request import Context
from overparam.training.ways import choose, key_of, measure, resolve_precision

WAYS = ("alone", "mapped")


def never() -> str:
    raise AssertionError("measured again")


def test_the_study_comes_first_then_the_machine_then_the_clock(tmp_path):
    path = tmp_path / "cache" / "choices.json"
    assert Choices(path=path).decide("a", WAYS, lambda: "mapped") == "mapped"
    assert Choices(path=path).decide("a", WAYS, never) == "mapped"
    assert Choices({"a": "alone"}, path).decide("a", WAYS, never) == "alone"
    assert json.loads(path.read_text()) == {"a": "mapped"}


def test_a_damaged_file_is_measured_anew(tmp_path):
    path = tmp_path / "choices.json"
    for text in ("", "{", "[1]", '{"a": 3}', '{"a": "no such way"}', "\x00\xff"):
        path.write_text(text)
        assert Choices({"a": "nor this"}, path).decide("a", WAYS, lambda: "mapped") == "mapped"
        assert json.loads(path.read_text())["a"] == "mapped"


def test_where_nothing_can_be_kept_nothing_is_measured(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for path in (None, tmp_path / "file" / "choices.json"):
        assert Choices(path=path).decide("a", WAYS, never) == "alone"
    assert Choices(path=tmp_path / "choices.json").decide(None, WAYS, never) == "alone"
    monkeypatch.setattr(choices, "fcntl", None)
    assert Choices(path=tmp_path / "choices.json").decide("a", WAYS, never) == "alone"
    assert os.listdir(tmp_path) == ["file"]


def test_what_was_kept_is_read_where_nothing_can_be_written(tmp_path, monkeypatch):
    path = tmp_path / "choices.json"
    Choices(path=path).decide("a", WAYS, lambda: "mapped")
    real = os.open

    def read_only(name, flags, *mode):
        if flags & os.O_RDWR:
            raise OSError("read-only file system")
        return real(name, flags, *mode)

    monkeypatch.setattr(os, "open", read_only)
    assert Choices(path=path).decide("a", WAYS, never) == "mapped"
    assert Choices(path=path).decide("b", WAYS, never) == "alone"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_what_others_may_have_written_is_not_believed(tmp_path):
    path = tmp_path / "choices.json"
    Choices(path=path).decide("a", WAYS, lambda: "mapped")
    path.chmod(0o666)
    assert Choices(path=path).decide("a", WAYS, lambda: "alone") == "alone"
    tmp_path.chmod(0o777)
    assert Choices({"b": "mapped"}, path).decide("a", WAYS, never) == "alone"
    tmp_path.chmod(0o700)


def test_a_script_uses_the_machines_file(monkeypatch, tmp_path):
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path / "cache"))
    assert choices_file().parent == cache_home()
    assert Context().choices.path == machine_choices().path == choices_file()
    assert Context().choices.decide("a", WAYS, lambda: "mapped") == "mapped"
    assert Context().choices.decide("a", WAYS, never) == "mapped"


def test_without_a_home_there_is_no_file(homeless):
    assert choices_file() is None
    assert Context().choices.decide("a", WAYS, never) == "alone"


def test_a_way_that_raises_is_out_with_a_note(tmp_path):
    def broken():
        raise RuntimeError("cannot be mapped\nlong story")

    context = Context(choices=Choices(path=tmp_path / "choices.json"))
    assert choose(context, "kind", {"alone": lambda: None, "mapped": broken}) == "alone"
    assert context.notes == ["mapped is not possible here: cannot be mapped"]
    # Whoever takes the choice from the machine's file or from the study says the same.
    ways = {"alone": never, "mapped": never}
    from_machine = Context(choices=Choices(path=context.choices.path))
    from_study = Context(choices=Choices(context.choices.made))
    for other in (from_machine, from_study, from_study):
        assert choose(other, "kind", ways) == "alone"
        assert other.notes == context.notes
    assert from_machine.choices.made == context.choices.made  # and is kept in the next study
    assert choose(Context(choices=Choices({"kind": "alone"})), "kind", ways) == "alone"


def test_a_note_is_not_believed_and_not_said_of_another_choice(tmp_path):
    path = tmp_path / "choices.json"
    for note in (3, ["x"], None):
        notes: list = []
        assert Choices({"a": "alone", "a note": note}).decide("a", WAYS, never, notes) == "alone"
        assert notes == []
    notes = []
    Choices({"a": "alone", "a note": "x" * 10_000}).decide("a", WAYS, never, notes)
    assert len(notes[0]) == 300
    path.write_text('{"a": "no such way", "a note": "of another"}')
    notes = []
    assert Choices({"a note": "of it"}, path).decide("a", WAYS, lambda: "mapped", notes) == "mapped"
    assert notes == []
    assert Choices(path=path).decide("a", WAYS, never, notes) == "mapped"
    assert notes == []


def test_named_precision_is_kept_and_auto_is_one_of_two():
    assert resolve_precision("float64", Context()) == "float64"
    assert resolve_precision("auto", Context()) in {"float32", "bfloat16"}


def test_keys_differ_by_kind():
    assert key_of("mlp", 3) != key_of("mlp", 4)


def test_what_has_another_name_in_every_process_has_no_key():
    assert key_of("mlp", lambda outputs, labels: outputs) is None
    context = Context()
    assert choose(context, key_of(never), {"alone": never, "mapped": never}) == "alone"
    assert context.choices.made == {}


def test_a_trial_is_computed_by_the_thread_that_is_timed():
    found = set()
    with one_thread():  # as within `solve`, where models are spread over the other threads
        measure(lambda: found.add((torch.get_num_threads(), spread())), torch.device("cpu"))
    assert found == {(1, 1)}


def test_a_file_that_cannot_grow_stays_as_it_was(full_disk):
    path = full_disk.folder / "cache" / "choices.json"
    Choices(path=path).decide("a" * 4000, WAYS, lambda: "mapped")
    kept = path.read_text()
    full_disk.fill()
    for _ in range(2):  # what cannot be kept is not believed either
        assert Choices(path=path).decide("b" * 4000, WAYS, lambda: "mapped") == "alone"
        assert path.read_text() == kept
    full_disk.make_room()
    assert Choices(path=path).decide("b" * 4000, WAYS, lambda: "mapped") == "mapped"
    assert set(json.loads(path.read_text())) == {"a" * 4000, "b" * 4000}
