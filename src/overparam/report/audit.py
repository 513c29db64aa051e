"""`Audit`: an audit's result that can show, save, export and compare itself."""

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from overparam.audits.document import document_of
from overparam.audits.loading import NAME
from overparam.audits.row_contents import columns_without_contents
from overparam.checks import check_file, check_path
from overparam.lab.frames import as_frame
from overparam.report.audit_page import render_audit
from overparam.report.kept_audit import Findings, KeptAudit
from overparam.whole_file import write_whole

if TYPE_CHECKING:
    from overparam.audits.plan import AuditPlan
    from overparam.audits.result import AuditResult

PAGE, ROWS = "report.html", "rows.csv"


class Audit(KeptAudit):
    """A finished audit. In a terminal or notebook it shows its verdict and a table of findings.

    Args:
        result: what `run_audit` returned.
        against: an older audit, which its page compares it with.
        command: that goes on with it, which its page shows.
    """

    def __init__(
        self, result: AuditResult, against: KeptAudit | None = None, command: str = ""
    ) -> None:
        self.result, self.against, self.command = result, against, command
        self._findings = Findings(result.findings)

    @functools.cached_property
    def document(self) -> dict[str, Any]:
        """All that the audit says, as plain values: `docs/audit/schema.json`."""
        return document_of(self.result)

    @property
    def row_table(self) -> Mapping[str, np.ndarray]:
        """Name to column `[n]`: all that is known of every training row."""
        return self.result.row_table

    @property
    def rows(self) -> Any:
        """The same as a pandas DataFrame; `row_table` needs no pandas.

        Raises:
            UsageError: pandas is not installed.
        """
        return as_frame(self.row_table, "take .row_table", index="row")

    @property
    def plan(self) -> AuditPlan | None:
        """What the budget paid for; None where no model was trained."""
        return self.result.plan

    def to_document(self, rows: bool = True) -> dict[str, Any]:
        """Return `document`, with or without what rows hold; see `save`."""
        return self.document if rows else document_of(self.result, rows=False)

    def to_json(self, rows: bool = True) -> str:
        """Return the audit as strict JSON (values that are not finite are null).

        Args:
            rows: whether it holds what rows hold; see `save`.
        """
        return json.dumps(self.to_document(rows), indent=2, allow_nan=False, ensure_ascii=False)

    def to_html(self, rows: bool = True, against: KeptAudit | str | Path | None = None) -> str:
        """Return the report as one self-contained HTML document.

        Args:
            rows: whether it shows what rows hold; see `save`.
            against: an older audit, or where one was saved; by default that of the audit.

        Raises:
            StoreError: the older audit cannot be read.
        """
        old = self.against if against is None else against
        return render_audit(self, rows=rows, change=None if old is None else self.compare(old))

    def save(self, folder: str | Path, rows: bool = True) -> Path:
        """Write ``audit.json``, ``report.html`` and ``rows.csv`` into a folder and return it.

        Each is written whole or not at all.

        Args:
            rows: whether they hold what rows hold: inputs, labels, texts, pictures. Without them
                the numbers of rows and of their scores stay, and the names of columns and classes
                where a sentence speaks of one.

        Raises:
            UsageError: something else than a file is there. StoreError: the older audit, which the
            page is to compare with, cannot be read. ResourceError: a file cannot be written.
        """
        place = check_path(folder)
        for name in (NAME, PAGE, ROWS):
            check_file(place / name)
        page = self.to_html(rows=rows)  # first: it reads an older audit, perhaps of this folder
        write_whole(place / NAME, self.to_json(rows))
        write_whole(place / ROWS, lambda path: self._write_rows(path, rows))
        write_whole(place / PAGE, page)
        return place

    def _write_rows(self, path: Path, rows: bool) -> None:
        table = dict(self.row_table) if rows else columns_without_contents(self.row_table)
        columns = [np.asarray(column).tolist() for column in table.values()]
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["row", *table])
            for row, values in enumerate(zip(*columns, strict=True)):
                writer.writerow([row, *("" if v is None or v != v else v for v in values)])
