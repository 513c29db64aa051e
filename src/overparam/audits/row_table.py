"""All that an audit knows of every training row, column by column."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding


def row_table(evidence: Evidence, findings: Mapping[str, Finding]) -> dict[str, np.ndarray]:
    """Return name to column `[n]`: the ensemble's scores, and a flag for each finding.

    A flag has the finding's code for its name: bool, whether the row is among the finding's rows.
    """
    n = evidence.subject.n_rows
    table: dict[str, np.ndarray] = {}
    if evidence.has("models"):
        table |= evidence.models.ensemble.row_table
    else:
        table["label"] = evidence.subject.train.given_labels()
    if evidence.has("one"):
        table["training_loss"] = evidence.one.train.loss
    for code, finding in findings.items():
        if finding.status == "found" and len(finding.rows):
            flag = np.zeros(n, bool)
            flag[finding.rows] = True
            table[code] = flag
    return table
