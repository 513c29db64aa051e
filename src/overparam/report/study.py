"""`Study`: a study's result that can show, save and export itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from overparam.checks import check_file
from overparam.lab.figure import Figure
from overparam.lab.records import Records
from overparam.lab.study import StudyResult
from overparam.lab.verdict import Verdict
from overparam.report.content import Content, describe
from overparam.report.drawing import figure_looks
from overparam.report.export import FORMATS, file_stems, save_figure
from overparam.report.html import render_html
from overparam.report.json_report import to_json
from overparam.report.terminal import verdict_text
from overparam.whole_file import write_whole


class Study:
    """A finished or interrupted study. In a notebook it shows verdicts and the main figure.

    Args:
        result: what the lab returned.
    """

    def __init__(self, result: StudyResult) -> None:
        self.result = result

    @property
    def records(self) -> Records:
        """One record per cell that ended."""
        return self.result.records

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        """Arm to verdict, the treatment first."""
        return self.result.verdicts

    @property
    def figures(self) -> Sequence[Figure]:
        """The figures as data; the first is the main one."""
        return self.result.figures

    @functools.cached_property
    def content(self) -> Content:
        """All that the report says, as plain data."""
        return describe(self.result)

    def to_html(self) -> str:
        """Return the report as one self-contained HTML document."""
        return render_html(self.content, self.figures)

    def to_json(self) -> str:
        """Return the report as strict JSON (values that are not finite are null)."""
        return to_json(self.content)

    def save_report(self, path: str | Path) -> Path:
        """Write the report to `path`, or into it if it is a folder, and return the file.

        Args:
            path: of a file ending in ``.json`` as JSON, else as HTML.

        Raises:
            UsageError: something else than a file is there.
            ResourceError: the file cannot be written; an earlier one is kept.
        """
        target = Path(path)
        if target.is_dir() or not target.suffix:
            target = target / "report.html"
        is_json = target.suffix.lower() == ".json"
        return write_whole(check_file(target), self.to_json() if is_json else self.to_html())

    def save_figures(self, folder: str | Path, formats: Sequence[str] = FORMATS) -> list[Path]:
        """Write every figure into `folder` in each format (svg, png, pdf, csv); return the files.

        Raises:
            UsageError: unknown format. ResourceError: the folder cannot be written.
        """
        looks = figure_looks(self.figures)
        stems = file_stems([f.name for f in self.figures])
        return [
            path
            for figure, stem in zip(self.figures, stems, strict=True)
            for path in save_figure(figure, Path(folder), formats, looks, stem)
        ]

    def __str__(self) -> str:
        return verdict_text(self.content)

    def __repr__(self) -> str:
        done = f"{len(self.records)} of {self.result.n_planned} cells"
        return f"Study({self.content.name}, {self.content.scale}, {done})"

    def _repr_html_(self) -> str:
        from overparam.report.notebook import study_html

        return study_html(self.content, self.figures)
