"""Writing a study's reports and other files, and showing a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from overparam.cli.output import Output
from overparam.errors import ResourceError

if TYPE_CHECKING:
    from overparam.report.study import Study


def write_reports(study: Study, place: Path, stem: str = "report") -> list[Path]:
    """Write the report as HTML and as JSON into folder `place` and return both files."""
    page = study.save_report(place / f"{stem}.html")
    return [page, write_text(page.with_suffix(".json"), study.to_json() + "\n")]


def write_text(path: Path, text: str) -> Path:
    """Write a file, making its folder.

    Raises:
        ResourceError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResourceError(
            f"{path} cannot be written",
            got=error.strerror,
            remedy="choose a writable folder, or free some space",
        ) from error
    return path


def open_page(path: Path, out: Output) -> None:
    """Show a page in the browser, or say how to."""
    import webbrowser

    address = path.resolve().as_uri()
    if not webbrowser.open(address):
        out.note(f"overparam: no browser could be started; open {address}")
