"""`list` by chapters, `run CHAPTER` and `gallery`."""

import dataclasses
import json
import shutil

import pytest

from overparam import collection, phenomena
from overparam.errors import StoreError, UsageError
from overparam.lab.store import Store

QUICK = ["double_descent/random_features", "double_descent/sample_wise"]
RUN = ("run", "double_descent", "--scale", "smoke", "--quiet", "--workers", "1", "--seeds", "3")


@pytest.fixture
def two_quick(monkeypatch):
    """A chapter of two phenomena that take a second each."""
    monkeypatch.setattr(collection, "names_in", lambda chapter: QUICK)


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    """The folder of a chapter that was run; never to be changed."""
    place = tmp_path_factory.mktemp("chapter")
    for name in QUICK:
        collection.api.run(name, "smoke", n_seeds=3, workers=1, out=place / f"{name}-smoke")
    return place


def test_chapters_with_a_line_each(here):
    code, out, err = here("list")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[: len(phenomena.chapters())]] == phenomena.chapters()
    assert "(5 phenomena)" in lines[0]


def test_one_chapter_with_its_introduction(here, chapter):
    code, out, _ = here("list", "double_descent", "--studies", chapter)
    assert code == 0
    assert out.startswith("Double descent: test error that falls")
    assert "Question: " in out
    assert out.index("double_descent/random_features") < out.index("double_descent/sample_wise")
    assert "identity/" not in out
    assert here("list", "identty")[0] == 2


def test_claims_of_all(here, chapter):
    _, out, _ = here("list", "--long", "--studies", chapter)
    assert "double_descent/random_features\n  With label noise, the test error" in out
    assert "    smoke     treatment" in out


def test_reading_order_is_that_of_the_introduction():
    assert phenomena.names("identity")[0] == "identity/by_depth"
    assert phenomena.names("double_descent")[0] == "double_descent/random_features"
    with pytest.raises(UsageError, match="unknown chapter"):
        phenomena.names("double_decent")


def test_a_chapter_is_run_and_indexed_and_goes_on(here, two_quick, tmp_path):
    code, out, err = here(*RUN)
    assert code in (0, 1), err
    assert [line.partition(":")[0] for line in out.splitlines()[:2]] == QUICK
    index = tmp_path / "studies" / "double_descent" / "index.html"
    page = index.read_text(encoding="utf-8")
    for name in QUICK:
        link = f"{name.partition('/')[2]}-smoke/report.html"
        assert f'href="{link}"' in page
        assert (index.parent / link).is_file()
        assert (index.parent / link).with_suffix(".json").is_file()
    answer = json.loads(here(*RUN, "--json")[1])  # nothing is run twice: records are kept
    assert [s["name"] for s in answer["studies"]] == QUICK
    assert answer["index"] == "studies/double_descent/index.html"
    assert answer["exit_code"] == code


def test_an_error_ends_its_own_study_alone(here, two_quick, tmp_path):
    with Store.open(
        tmp_path / "studies" / f"{QUICK[0]}-smoke", phenomena.find(QUICK[1])
    ):  # another phenomenon's study lies in its folder
        pass
    code, out, err = here(*RUN)
    assert code == StoreError.exit_code
    assert f"{QUICK[0]}: not finished" in out
    assert "of another phenomenon" in err or QUICK[1] in err
    assert "sample_wise-smoke/report.html" in (
        tmp_path / "studies" / "double_descent" / "index.html"
    ).read_text(encoding="utf-8")
    with pytest.raises(StoreError):
        collection.run_chapter("double_descent", "smoke", out=tmp_path / "studies", n_seeds=3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--set", "n_train=100"), "--set is for one phenomenon"),
        (("--resume",), "--resume is for one phenomenon"),
        (("--no-report",), "a chapter is run for its reports"),
    ],
)
def test_what_means_nothing_for_a_chapter_is_refused(here, options, said, tmp_path):
    code, _, err = here("run", "identity", *options)
    assert code == 2
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_gallery_of_what_is_there(here, chapter, tmp_path):
    place = shutil.copytree(chapter, tmp_path / "studies")
    own = tmp_path / "studies" / "mine-smoke"
    with Store.open(own, dataclasses.replace(phenomena.find(QUICK[0]), name="mine")) as store:
        store.set("verdicts", {"treatment": "observed"})
    (tmp_path / "studies" / "broken").mkdir()
    (tmp_path / "studies" / "broken" / "study.sqlite").write_bytes(b"no database " * 100)
    code, out, err = here("gallery")
    assert code == 0, err
    page = (place / "index.html").read_text(encoding="utf-8")
    assert 'href="double_descent/random_features-smoke/report.html"' in page
    assert (place / "double_descent/random_features-smoke/report.html").is_file()
    assert "its code was not run for this" in page
    assert "index of" in out
    found = json.loads(here("gallery", "studies", "--json")[1])["studies"]
    assert [s["name"] for s in found][:2] == QUICK


def test_gallery_of_nothing(here, tmp_path):
    code, _, err = here("gallery", "nowhere")
    assert code == 2
    assert "no such folder of studies" in err
    (tmp_path / "empty").mkdir()
    assert here("gallery", "empty")[0] == 0
    assert "There is no study here yet." in (tmp_path / "empty" / "index.html").read_text()


def test_plan_of_a_chapter(here, two_quick):
    code, out, _ = here("plan", "double_descent", "--scale", "smoke")
    assert code == 0
    assert "double_descent/sample_wise" in out
    assert out.splitlines()[-1].startswith("all 2 one after the other: about")
