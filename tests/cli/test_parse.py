import sys

import pytest

from overparam.cli.folders import default_folder
from overparam.cli.parse import (
    choice,
    parse_bytes,
    parse_list,
    parse_phenomenon,
    parse_settings,
    parse_shape,
    whole_number,
)
from overparam.errors import UsageError


@pytest.fixture(autouse=True)
def own_path(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("half_written", None)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("800 b", 800), ("2k", 2048), ("4G", 4 << 30), ("1.5GiB", 3 << 29), ("1T", 1 << 40)],
)
def test_sizes_of_memory(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "lots", "-1", "0", "4X", "G", "1e9", "0.2", "4\u212a", "٤", "9" * 400]
)
def test_what_is_no_size_of_memory(text):
    with pytest.raises(UsageError, match=r"this is no size of memory.*such as 4G"):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["1,28,28", "1x28x28", "(1, 28, 28)", "1×28×28", "1,28,28,"])
def test_shapes(text):
    assert parse_shape(text) == (1, 28, 28)


@pytest.mark.parametrize("text", ["", "0", "1,,2", "-3", "3.5", "a", "1,0", "٤", "1_0", "9" * 5000])
def test_what_is_no_shape(text):
    with pytest.raises(UsageError, match=r"this is no shape.*such as 1,28,28"):
        parse_shape(text)


def test_settings_keep_what_follows_the_first_equals_sign():
    assert parse_settings(["a=b=c", " d = 1 ", "a=b=c"]) == {"a": "b=c", "d": "1"}
    assert parse_settings(["label="]) == {"label": ""}


@pytest.mark.parametrize("text", ["width", "=3", ""])
def test_what_is_no_setting(text):
    with pytest.raises(UsageError, match="takes a field and its value"):
        parse_settings([text])


def test_a_field_cannot_be_set_to_two_values():
    with pytest.raises(UsageError, match="n is set twice; got '1 and 2'; run the study once"):
        parse_settings(["n=1", "n=2"])


def test_whole_numbers():
    assert whole_number("--seeds")("12") == 12
    assert whole_number("--first-seed", 0)("0") == 0
    with pytest.raises(UsageError, match=r"--seeds must be a whole number; got '1.5'"):
        whole_number("--seeds")("1.5")
    with pytest.raises(UsageError, match="--seeds is out of range; got 0"):
        whole_number("--seeds")("0")


def test_choices_suggest_the_near_one():
    with pytest.raises(UsageError, match=r"unknown scale; got 'ful'.*did you mean 'full'"):
        choice("scale", ["smoke", "full"])("ful")
    assert parse_list("format", ["svg", "pdf"])("svg, pdf") == ("svg", "pdf")
    with pytest.raises(UsageError, match="unknown format; got 'svgg'"):
        parse_list("format", ["svg", "pdf"])("pdf,svgg")


def test_a_phenomenon_that_cannot_be_imported_names_the_line(tmp_path):
    (tmp_path / "half_written.py").write_text("x = 1\ny = 1 / 0\n")
    with pytest.raises(UsageError, match=r"failed; got 'ZeroDivisionError: .*half_written.py:2"):
        parse_phenomenon("half_written.py")
    with pytest.raises(UsageError, match="unknown phenomenon; got 'doubel'"):
        parse_phenomenon("doubel")


def test_default_folders_tell_settings_apart_and_are_plain_names():
    plain = default_folder("x", "smoke", {})
    one = default_folder("x", "smoke", {"b": "minimum norm", "a": "../up"})
    assert plain.as_posix() == "studies/x-smoke"
    assert one.as_posix() == "studies/x-smoke-a=.._up-b=minimum_norm"
    assert one == default_folder("x", "smoke", {"a": "../up", "b": "minimum norm"})
