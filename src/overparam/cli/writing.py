"""Writing a study's reports and other files, and showing a page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from overparam.cli.output import Output
from overparam.errors import StoreError
from overparam.whole_file import write_whole

if TYPE_CHECKING:
    from overparam.report.study import Study


def write_reports(study: Study, place: Path, stem: str = "report") -> list[Path]:
    """Write the report as HTML and as JSON into folder `place` and return both files."""
    return [study.save_report(place / f"{stem}.html"), write_json(study, place, stem)]


def write_json(study: Study, place: Path, stem: str = "report") -> Path:
    """Write the report as JSON into folder `place` and return the file."""
    return write_whole(place / f"{stem}.json", study.to_json() + "\n")


def refuse_linked_reports(folder: Path) -> None:
    """Refuse a study in whose folder a link stands where its report is written.

    Raises:
        StoreError: what it points to would be overwritten.
    """
    for name in ("report.html", "report.json", "figures"):
        path = folder / name
        if path.is_symlink():
            raise StoreError(
                "the report of this study is a link",
                got=f"{path} -> {os.readlink(path)}",
                allowed="a file of the study's own",
                remedy="delete the link, or write elsewhere with --to",
            )


def open_page(path: Path, out: Output) -> None:
    """Show a page in the browser, or say how to."""
    import webbrowser

    address = path.resolve().as_uri()
    if not webbrowser.open(address):
        out.note(f"overparam: no browser could be started; open {address}")
