"""The documents are true: links resolve, every member has its page, examples run."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from overparam import measures, phenomena
from overparam.lab.runner import run_study

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
MEASURE_PAGES = sorted(ROOT.glob("docs/measures/*.md"))
RESULT_TYPES = {"EmcEstimate", "MeanEstimate", "RateEstimate"}  # described where they are returned


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def links(text: str) -> list[str]:
    """Targets of a page's links and pictures, those of other sites left out."""
    found = re.findall(r"\]\(([^)\s]+)\)", without_code(text))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """Anchors of a page: of its headings, as they are made from them on GitHub, and by name."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    named = re.findall(r'<a id="([^"]+)"></a>', text)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings} | set(named)


def broken_links(page: Path) -> list[str]:
    broken = []
    for target in links(page.read_text(encoding="utf-8")):
        place, _, anchor = target.partition("#")
        found = page if not place else page.parent / place
        if not found.exists() or (
            anchor and anchor not in anchors(found.read_text(encoding="utf-8"))
        ):
            broken.append(target)
    return broken


def code_blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def needs(page: Path) -> list[str]:
    """Packages without which a page's examples do not run, of its mark ``<!-- needs a b -->``."""
    marks = re.findall(r"^<!-- needs (.*) -->$", page.read_text("utf-8"), re.M)
    return [name for mark in marks for name in mark.split()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_resolve(page):
    assert broken_links(page) == []


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A title\n[a](gone.md) [b](#a-title) [c](#none) `[d](code.md)` [e](page.md)")
    assert broken_links(page) == ["gone.md", "#none"]


@pytest.mark.parametrize("name", phenomena.names())
def test_every_phenomenon_has_its_page_and_is_listed(name):
    chapter, _, last = name.partition("/")
    folder = ROOT / "docs" / "phenomena" / chapter
    assert (folder / f"{last}.md").is_file()
    assert f"phenomena/{name}.md" in links((ROOT / "docs" / "index.md").read_text("utf-8"))
    assert f"{last}.md" in links((folder / "index.md").read_text("utf-8"))


@pytest.mark.parametrize("chapter", phenomena.chapters())
def test_every_chapter_has_its_page(chapter):
    page = f"phenomena/{chapter}/index.md"
    assert page in links((ROOT / "docs" / "index.md").read_text("utf-8"))
    assert f"docs/{page}" in links((ROOT / "README.md").read_text("utf-8"))
    introduction = phenomena.introduction(chapter)
    for heading in ("Question", "Reading", "Order"):
        assert f"\n{heading}: " in introduction
    for name in phenomena.names(chapter):
        assert f"`{name.partition('/')[2]}`" in introduction, f"say when to read {name}"


def test_no_page_is_of_a_phenomenon_that_is_gone():
    folder = ROOT / "docs" / "phenomena"
    pages = {p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.md")}
    assert pages <= {*phenomena.names(), *(f"{c}/index" for c in phenomena.chapters())}


@pytest.mark.parametrize("name", sorted(set(measures.__all__) - RESULT_TYPES))
def test_every_public_measure_stands_in_the_heading_of_a_page(name):
    headings = [
        heading
        for page in MEASURE_PAGES
        for heading in re.findall(r"^#+ .*$", page.read_text("utf-8"), re.M)
    ]
    assert any(f"`{name}`" in heading for heading in headings)


def test_every_page_of_a_measure_is_in_the_index():
    listed = links((ROOT / "docs" / "index.md").read_text("utf-8"))
    assert [p.name for p in MEASURE_PAGES if f"measures/{p.name}" not in listed] == []


def test_every_paper_that_the_code_cites_is_in_the_bibliography():
    known = set(re.findall(r"eprint\s*=\s*\{(.*?)\}", (ROOT / "docs/references.bib").read_text()))
    cited = {
        number
        for path in (ROOT / "src" / "overparam").rglob("*.py")
        for number in re.findall(r"arXiv:((?:math/)?[\d.]*\d)", path.read_text("utf-8"))
    }
    assert cited - known == set()
    assert len(cited) > 5


@pytest.mark.parametrize(
    "page",
    [p for p in PAGES if p.name != "CONTRIBUTING.md" and code_blocks(p, "python")],
    ids=name_of,
)
def test_python_examples_run(page, tmp_path):
    # The architecture's sketch of a cell is a fragment: it shows a shape, with dots for the rest.
    lacking = [name for name in needs(page) if importlib.util.find_spec(name) is None]
    if lacking:
        pytest.skip(f"{name_of(page)} needs {', '.join(lacking)}, which is not installed")
    blocks = [block for block in code_blocks(page, "python") if "= ..." not in block]
    for block in blocks:
        run = subprocess.run(
            [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        promised = re.findall(r"^print\(.*\)  # (\S+ \S+ \S+)$", block, re.M)
        assert all(said in run.stdout for said in promised)


def test_the_page_of_the_python_api_has_ten_recipes():
    page = ROOT / "docs" / "python-api.md"
    text = page.read_text("utf-8")
    assert len(re.findall(r"^## \d+\. ", text, re.M)) == 10
    assert len(code_blocks(page, "python")) == 10


def test_the_phenomenon_of_the_contributing_guide_is_observed_and_its_control_is_not(
    tmp_path, monkeypatch
):
    path = tmp_path / "norm_shrinks.py"
    path.write_text("\n\n".join(code_blocks(ROOT / "CONTRIBUTING.md", "python")))
    monkeypatch.syspath_prepend(str(tmp_path))
    study = run_study(phenomena.find(str(path)), "smoke", seeds=range(40, 46), workers=1)
    verdicts = {arm: verdict.kind for arm, verdict in study.verdicts.items()}
    assert verdicts == {"treatment": "observed", "below the threshold": "absent"}
    assert study.figures[0].title.startswith("Past the threshold")
