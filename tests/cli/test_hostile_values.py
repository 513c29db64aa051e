"""Values that nobody means: each is one line that says what is allowed, before anything runs."""

import subprocess
from pathlib import Path

import pytest

RUN = ("run", "double_descent/random_features", "--scale", "smoke", "--quiet")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("n_train=nan", "n_train must be a number; got 'nan'"),
        ("n_train=1e400", "n_train must be a number; got '1e400'"),
        ("n_train=99999999999999999999", "n_train is out of range; got '99999999999999999999'; al"),
        ("n_train=`id`", "n_train must be a number; got '`id`'"),
        ("n_train=5\x01", r"got '5\x01'"),
        ("label_noise_rate=nan", "label_noise_rate is out of range; got nan; allowed: [0, 1]"),
        ("max_ratio=inf", "max_ratio is out of range; got inf"),
        ("max_ratio=1e308", "the design cannot be made with these values; got 'max_ratio=1e+308"),
        ("max_ratio=1e40", "the design cannot be made with these values; got 'max_ratio=1e+40"),
        ("dataset=../../etc/passwd", "unknown dataset; got '../../etc/passwd'"),
        ("__class__=x", "Condition has no such field; got '__class__'"),
    ],
)
@pytest.mark.parametrize("command", [("plan", *RUN[1:4]), RUN])
def test_hostile_settings(here, tmp_path, command, setting, message):
    code, out, err = here(*command, "--set", setting)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seeds", "99999999999999999999"), "--seeds is out of range; got 99999999999999999999"),
        (("--seeds", "1", "--first-seed", "99999999999999999999"), "--first-seed is out of range"),
        (("--out", ""), "a path is empty; got ''; is a variable of the shell not set?"),
        (("--memory", "1e400"), "this is no size of memory"),
    ],
)
def test_hostile_options(here, tmp_path, words, message):
    code, out, err = here(*RUN, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


ONE_MODEL = ("census", "mlp:input_dim=3,n_outputs=2")
PROBE = ("probe", "identity", "mlp:hidden=3")
DESIGN = ("--seeds", "--first-seed", "--workers", "--memory")
NUMBERS = [
    *[(("plan", *RUN[1:4]), option) for option in DESIGN],
    *[(RUN, option) for option in DESIGN],
    *[(PROBE, f"--{name}") for name in ("side", "channels", "images", "steps", "seeds")],
    *[(ONE_MODEL, option) for option in ("--n-train", "--n-outputs", "--input-shape")],
]


@pytest.mark.parametrize(
    "number",
    ["1" * 20, "7" * 309, "9" * 4300, "9" * 5000, "-" + "9" * 400, "٣", "1_0", "1e3", "K", "²"],
    ids=lambda number: f"{number[:4]}-{len(number)}",
)
@pytest.mark.parametrize(("words", "option"), NUMBERS, ids=lambda part: "-".join(part)[:30])
def test_numbers_that_nobody_means(here, tmp_path, words, option, number):
    code, out, err = here(*words, f"{option}={number}")
    assert (code, out) == (2, "")
    assert err.startswith(f"overparam: {option}")
    assert err.count("\n") == 1
    assert len(err) < 800
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", ["٣", "1_0", "9" * 400, "9" * 5000])
@pytest.mark.parametrize("field", ["n_train", "label_noise_rate"])
def test_fields_are_written_in_the_same_digits(here, field, number):
    code, _, err = here("plan", *RUN[1:4], "--set", f"{field}={number}")
    assert code == 2
    assert err.startswith(f"overparam: {field} ")
    assert len(err) < 800


@pytest.mark.parametrize(
    "target", ["preact_resnet18:width=100000000000000000000", "preact_resnet18:width=99999999"]
)
def test_a_model_beyond_all_memory_is_one_short_line(here, target):
    code, _, err = here("census", target)
    assert code == 2
    assert err.startswith(("overparam: width is out of range", f"overparam: {target} failed; got"))
    assert err.count("\n") == 1
    assert len(err) < 700


LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [
        (*RUN, "--seeds", "1", "--out", LONG),
        ("run", f"{LONG}.py"),
        ("report", LONG),
        ("check", LONG),
        ("export", LONG, "--to", "a.csv"),
        ("gallery", LONG),
        ("list", "--studies", LONG),
        ("census", f"{LONG}.py:net"),
        ("plan", f"{LONG}.py"),
        ("probe", "identity", f"{LONG}.py:net"),
        ("data", "fetch", "mnist", "--to", LONG),
    ],
    ids=lambda words: words[0],
)
def test_a_path_that_no_file_can_have_is_a_usage_error(here, words):
    code, _, err = here(*words)
    assert code == 2
    assert err.startswith("overparam: a path is too long for the file system; got 'xxx")
    assert err.count("\n") == 1
    assert len(err) < 200


PLACES = {  # that are given to a command, and where the words stop before anything is fetched
    "run": (*RUN, "--seeds", "1", "--quiet", "--out"),
    "fetch": ("data", "fetch", "mnist", "--to"),
    "report": ("report",),
    "check": ("check",),
    "gallery": ("gallery",),
    "list": ("list", "--studies"),
    "page": ("gallery", ".", "--to"),
}


@pytest.mark.parametrize("words", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("file/below", "a file stands where a path needs a folder"),
        ("a\0b", "a path holds a NUL character"),
        ("circle/below", "a path leads in a circle of links"),
    ],
)
def test_a_path_through_what_is_no_folder_is_a_usage_error(here, words, place, why):
    Path("file").touch()
    Path("circle").symlink_to("circle")
    code, _, err = here(*words, place)
    assert code == 2
    assert err.startswith(f"overparam: {why}; got ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [PLACES["run"], PLACES["fetch"]], ids=["run", "fetch"])
def test_a_file_where_a_folder_is_to_be_is_a_usage_error(here, words):
    Path("file").touch()
    code, _, err = here(*words, "file")
    assert code == 2
    assert "file" in err
    assert err.count("\n") == 1


def test_a_folder_where_a_file_is_to_be_is_a_usage_error(here):
    Path("folder/inner").mkdir(parents=True)
    code, _, err = here("gallery", ".", "--to", "folder")
    assert code == 2
    assert err.startswith("overparam: a folder stands where a file is to be written; got ")


def test_a_disk_that_can_only_be_read_is_a_usage_error(here, full_disk):
    remounted = subprocess.run(["mount", "-o", "remount,ro", full_disk.folder], capture_output=True)
    if remounted.returncode:
        pytest.skip("a disk cannot be made read-only here")
    for words in (PLACES["run"], PLACES["fetch"], PLACES["page"]):
        code, _, err = here(*words, str(full_disk.folder / "below"))
        assert code == 2
        assert err.startswith("overparam: a path leads to a disk that can only be read; got ")
        assert err.count("\n") == 1
