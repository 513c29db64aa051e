"""Writing a study's reports and other files, and showing a page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from overparam.checks import check_file
from overparam.cli.output import Output
from overparam.errors import StoreError, UsageError
from overparam.whole_file import write_whole

if TYPE_CHECKING:
    from overparam.report.study import Study


def write_reports(study: Study, place: Path, stem: str = "report") -> list[Path]:
    """Write the report as HTML and as JSON into folder `place` and return both files."""
    return [study.save_report(place / f"{stem}.html"), write_json(study, place, stem)]


def write_json(study: Study, place: Path, stem: str = "report") -> Path:
    """Write the report as JSON into folder `place` and return the file."""
    return write_whole(place / f"{stem}.json", study.to_json() + "\n")


def check_reports(folder: Path, links: bool = False) -> None:
    """Refuse a folder where something stands in the place of its reports.

    Args:
        links: whether there may be links, which are followed; not in a study's own folder, which
            may come from anybody.

    Raises:
        StoreError: what a link points to would be overwritten.
        UsageError: no plain file, or no folder, stands where one is to be.
    """
    files = ("report.html", "report.json", "audit.json", "rows.csv")
    for name in (*files, "figures"):
        path = folder / name
        if path.is_symlink() and not links:
            raise StoreError(
                "the report of this study is a link",
                got=f"{path} -> {os.readlink(path)}",
                allowed="a file of the study's own",
                remedy="delete the link, or write elsewhere with --to",
            )
    for name in files:
        check_file(folder / name)
    for place in (folder, folder / "figures"):
        if place.exists() and not place.is_dir():
            raise UsageError(
                "what is no folder stands where reports need one",
                got=str(place),
                remedy="choose another",
            )


def open_page(path: Path, out: Output) -> None:
    """Show a page in the browser, or say how to."""
    import webbrowser

    address = path.resolve().as_uri()
    if not webbrowser.open(address):
        out.note(f"overparam: no browser could be started; open {address}")
