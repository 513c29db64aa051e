"""What stands where a file is to be written stays, and is told before anything is done."""

import os

import pytest

PROBE = ("probe", "identity", "same_convnet:n_channels=2", "--sweep", "depth=2", "--side", "8")
KINDS = ["pipe", "device", "socket", "folder", "circle", "link"]
WRITERS = {  # each names a study or model that is not there, which would be told next
    "gallery": ("gallery", ".", "--to", "place.html"),
    "table": ("export", "nowhere", "--to", "place.csv"),
    "units": ("export", "nowhere", "--to", "place.csv", "place.units.json"),
    "parquet": ("export", "nowhere", "--to", "place.parquet"),
    "page": ("report", "nowhere", "--to", "place.html"),
    "json": ("report", "nowhere", "--to", "place.json"),
    "picture": ("census", "no_such_family", "--picture", "place.svg"),
    "report": ("report", "nowhere", "--to", "reports", "reports/report.html"),
    "facts": ("report", "nowhere", "--to", "reports", "reports/report.json"),
    "run": ("run", "double_descent/random_features", "--out", "study", "study/report.html"),
    "probe": (*PROBE, "--out", "study", "study/report.json"),
    "chapter": ("run", "identity", "--out", "all", "all/identity/width-standard/report.html"),
    "index": ("run", "identity", "--quiet", "--out", "all", "all/identity/index.html"),
}


def state(path):
    found = path.lstat()
    return found.st_ino, found.st_mode, found.st_rdev


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", WRITERS.values(), ids=WRITERS)
def test_it_is_left_alone_and_refused_first(here, stand_at, tmp_path, words, kind):
    *words, name = words
    if words[-1] in ("--to", "--picture"):
        words.append(name)
    if name == words[-1] and words[0] == "report" and kind == "folder":
        pytest.skip("a report may be written into a folder")
    if kind in ("link", "circle") and words[0] in ("run", "probe") and "/report." in name:
        pytest.skip("a link in a study's folder is told as an error of the study")
    place = stand_at(tmp_path / name, kind)
    before, files = state(place), sorted(tmp_path.rglob("*"))
    code, out, err = here(*words)
    assert (code, out) == (2, "")
    assert "stands where a file is to be written" in err or "a circle of links" in err
    assert err.count("\n") == 1
    assert state(place) == before
    assert sorted(tmp_path.rglob("*")) == files


def test_a_report_with_an_ending_may_go_into_a_folder_of_that_name(here, study, tmp_path):
    for name in ("a.html", "b.json", "c.d"):
        (tmp_path / name).mkdir()
        assert here("report", study[1], "--to", name)[0] == 0
        assert sorted(os.listdir(tmp_path / name)) == ["report.html", "report.json"]


@pytest.mark.parametrize("kind", ["file", "pipe"])
@pytest.mark.parametrize("place", ["reports", "reports/figures"])
def test_what_is_no_folder_holds_no_reports(here, stand_at, tmp_path, place, kind):
    before = state(stand_at(tmp_path / place, kind))
    code, _, err = here("report", "nowhere", "--to", "reports", "--figures", "csv")
    assert code == 2
    assert "what is no folder stands where reports need one; got 'reports" in err
    assert state(tmp_path / place) == before


def test_a_path_cannot_pose_as_several_lines(here, study, tmp_path):
    """Nor obey: an end of line in a path is shown as what it is, wherever a path is shown."""
    fake = "a\noverparam: all is well\r\x1b[31m\tb"
    shown = r"a\noverparam: all is well\r\x1b[31m\tb"
    (tmp_path / "inner").mkdir()
    code, out, err = here("report", study[1], "--to", fake)
    assert code == 0
    assert rf"wrote {shown}/report.html" in out
    words = [
        ("export", study[1], "--to", f"{fake}.csv"),
        ("check", fake),
        ("report", fake),
        ("export", study[1], "--to", f"{fake}/report.html/x.csv"),
        ("gallery", fake),
        ("list", "--studies", f"{fake}.csv"),
        ("census", f"{fake}.py:net"),
        ("run", f"{fake}.py"),
        ("data", "fetch", fake),
    ]
    for one in words:
        code, out, err = here(*one)
        told = out + err
        assert r"overparam: all is well\r\x1b[31m\tb" in told
        assert not {"\r", "\x1b", "\t"} & set(told)
        assert not any(line.startswith("overparam: all is well") for line in told.splitlines())
