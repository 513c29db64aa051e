"""Write into README.md and docs/ what the phenomena say, and the README's pictures.

Runs every phenomenon at standard scale (what `studies/` holds already is not run again), so that
no verdict in the documents was written by hand:

    python tools/update_readme.py [NAME ...]     NAME: only these are run; others keep their rows
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import overparam as op
from overparam.phenomena import chapters, introduction, names, title_of
from overparam.report.export import figure_svg
from overparam.report.study import Study

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "phenomena"
PICTURES = {  # phenomenon to the file of its main figure
    "double_descent/random_features": "double_descent.svg",
    "identity/by_depth": "identity_by_depth.svg",
}
HEADER = "| phenomenon | claim | treatment | controls |\n|---|---|---|---|\n"
CHAPTERS = "| chapter | phenomena | observed, and absent from every control |\n|---|---|---|\n"


def main(only: list[str]) -> None:
    """Run, then rewrite the parts between markers."""
    for chapter in chapters():
        page = PAGES / chapter / "index.md"
        rows = rows_of(page)
        for name in names(chapter):
            if not only or name in only:
                study = op.run(name, out=ROOT / "studies" / f"{name}-standard")
                print(study)
                rows[name] = row_of(study)
                draw_picture(study)
        kept = [rows[name] for name in names(chapter) if name in rows]
        replace_part(page, HEADER + "\n".join(kept))
    replace_part(ROOT / "README.md", CHAPTERS + "\n".join(map(chapter_row, chapters())))
    replace_part(ROOT / "docs" / "index.md", "\n".join(map(chapter_lines, chapters())))


def row_of(study: Study) -> str:
    """Return a phenomenon's row in the table of its chapter."""
    content = study.content
    said = [
        f"{arm.kind}, {arm.estimate:.2f} [{arm.low:.2f}, {arm.high:.2f}]"
        if arm.is_treatment
        else f"{arm.name}: {arm.kind}"
        for arm in content.arms
    ]
    last = content.name.partition("/")[2]
    link = f"[`{content.name}`]({last}.md)"
    return f"| {link} | {content.claim} | {said[0]} | {'; '.join(said[1:])} |"


def chapter_row(chapter: str) -> str:
    """Return a chapter's row in the README: its title, how many phenomena, how many as claimed."""
    rows = rows_of(PAGES / chapter / "index.md").values()
    as_claimed = sum(
        bool(re.search(r"\| observed, ", row)) and not re.search(r": (observed|inconcl)", row)
        for row in rows
    )
    title = introduction(chapter).partition("\n")[0].rstrip(".")
    link = f"[{title}](docs/phenomena/{chapter}/index.md)"
    return f"| {link} | {len(names(chapter))} | {as_claimed} |"


def chapter_lines(chapter: str) -> str:
    """Return a chapter's lines of the documentation's index."""
    title = introduction(chapter).partition("\n")[0].rstrip(".")
    lines = [f"- [{title}](phenomena/{chapter}/index.md)"]
    lines += [f"  - [`{name}`](phenomena/{name}.md): {title_of(name)}" for name in names(chapter)]
    return "\n".join(lines)


def rows_of(page: Path) -> dict[str, str]:
    """Return the rows that a chapter's table has now, by phenomenon."""
    # What stands below, such as the table of other seeds, is written by hand.
    table = page.read_text(encoding="utf-8").partition("<!-- /phenomena -->")[0]
    found = re.finditer(r"^\| \[`([\w/]+)`\].*$", table, re.M)
    return {row[1]: row[0] for row in found}


def draw_picture(study: Study) -> None:
    """Write the main figure where the README shows it."""
    if study.content.name in PICTURES:
        picture = ROOT / "docs" / "images" / PICTURES[study.content.name]
        picture.write_text(figure_svg(study.figures[0]), encoding="utf-8")


def replace_part(path: Path, text: str) -> None:
    """Replace what stands between the markers of a file."""
    pattern = r"(<!-- phenomena -->\n).*?(<!-- /phenomena -->)"
    whole, n = re.subn(
        pattern,
        lambda found: found[1] + text + "\n" + found[2],
        path.read_text("utf-8"),
        flags=re.S,
    )
    if n != 1:
        raise SystemExit(f"{path} has no part between <!-- phenomena --> markers")
    path.write_text(whole, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
