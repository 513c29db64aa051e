"""Write into README.md and docs/index.md what the phenomena say, and the README's pictures.

Runs every phenomenon at standard scale (what `studies/` holds already is not run again), so that
no verdict in the documents was written by hand:

    python tools/update_readme.py [NAME ...]     NAME: only these are run; others keep their rows
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import overparam as op
from overparam.report.export import figure_svg
from overparam.report.study import Study

ROOT = Path(__file__).parents[1]
PICTURES = {  # phenomenon to the file of its main figure
    "double_descent/random_features": "double_descent.svg",
    "identity/by_depth": "identity_by_depth.svg",
}
HEADER = "| phenomenon | claim | treatment | control |\n|---|---|---|---|\n"


def main(only: list[str]) -> None:
    """Run, then rewrite the parts between markers."""
    readme, index = ROOT / "README.md", ROOT / "docs" / "index.md"
    old = {name: row for row in rows_of(readme) if (name := re.search(r"\[`([\w/]+)`\]", row)[1])}  # type: ignore[index]
    for name in only or op.phenomena.names():
        study = op.run(name, out=ROOT / "studies" / f"{name}-standard")
        print(study)
        old[name] = row_of(study)
        if name in PICTURES:
            picture = figure_svg(study.figures[0])
            (ROOT / "docs" / "images" / PICTURES[name]).write_text(picture, "utf-8")
    names = [name for name in op.phenomena.names() if name in old]
    replace_part(readme, HEADER + "\n".join(old[name] for name in names))
    replace_part(index, "\n".join(line_of(name) for name in op.phenomena.names()))


def row_of(study: Study) -> str:
    """Return a phenomenon's row of the README's table."""
    arms = study.content.arms
    said = [
        f"{arm.kind}, {arm.estimate:.2f} [{arm.low:.2f}, {arm.high:.2f}]"
        if arm.is_treatment
        else f"{arm.name}: {arm.kind}"
        for arm in arms
    ]
    name = study.content.name
    link = f"[`{name}`](docs/phenomena/{name}.md)"
    return f"| {link} | {study.content.claim} | {said[0]} | {'; '.join(said[1:])} |"


def line_of(name: str) -> str:
    """Return a phenomenon's line of the index."""
    return f"- [`{name}`](phenomena/{name}.md): {op.phenomena.claim_of(name)}"


def rows_of(readme: Path) -> list[str]:
    """Return the rows that the table has now."""
    return re.findall(r"^\| \[`[\w/]+`\].*$", readme.read_text(encoding="utf-8"), re.M)


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
