"""Choices are made once, and shared through the machine's file."""

from __future__ import annotations

import json

from overparam.training.choices import Choices
from overparam.training.request import Context
from overparam.training.ways import choose, key_of, resolve_precision


def never() -> str:
    raise AssertionError("measured again")


def test_the_study_comes_first_then_the_machine_then_the_clock(tmp_path):
    path = tmp_path / "cache" / "choices.json"
    assert Choices(path=path).decide("a", lambda: "mapped") == "mapped"
    assert Choices(path=path).decide("a", never) == "mapped"
    assert Choices({"a": "alone"}, path).decide("a", never) == "alone"
    assert json.loads(path.read_text()) == {"a": "mapped"}


def test_a_damaged_file_is_measured_anew(tmp_path):
    path = tmp_path / "choices.json"
    for text in ("", "{", "[1]", '{"a": 3}'):
        path.write_text(text)
        assert Choices(path=path).decide("a", lambda: "x") == "x"
        assert json.loads(path.read_text())["a"] == "x"


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path):
    (tmp_path / "file").write_text("")
    assert Choices(path=tmp_path / "file" / "choices.json").decide("a", lambda: "x") == "x"


def test_a_way_that_raises_is_out_with_a_note():
    def broken():
        raise RuntimeError("cannot be mapped\nlong story")

    context = Context()
    assert choose(context, "kind", {"alone": lambda: None, "mapped": broken}) == "alone"
    assert context.notes == ["mapped is not possible here: cannot be mapped"]


def test_named_precision_is_kept_and_auto_is_one_of_two():
    assert resolve_precision("float64", Context()) == "float64"
    assert resolve_precision("auto", Context()) in {"float32", "bfloat16"}


def test_keys_differ_by_kind():
    assert key_of("mlp", 3) != key_of("mlp", 4)


def test_a_file_that_cannot_grow_stays_as_it_was(full_disk):
    path = full_disk.folder / "choices.json"
    first = Choices(path=path)
    first.decide("a" * 4000, lambda: "x")
    kept = path.read_text()
    full_disk.fill()
    assert Choices(path=path).decide("b" * 4000, lambda: "y") == "y"
    assert path.read_text() == kept
    full_disk.make_room()
    assert Choices(path=path).decide("b" * 4000, lambda: "z") == "z"
    assert set(json.loads(path.read_text())) == {"a" * 4000, "b" * 4000}
