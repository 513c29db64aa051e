"""`Members`: the records of an ensemble with what is known of its data, as a study keeps both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from overparam.checks import check_choice
from overparam.ensembles.columns import Columns
from overparam.ensembles.member import WHOLE
from overparam.errors import DataError, UsageError
from overparam.lab.lazy import read_once
from overparam.lab.records import Record, Records
from overparam.measures.memorization import FEWEST_ROWS

ONE_RUN = "one run"  # the prior that an ensemble of networks has by itself


@dataclass(frozen=True, eq=False)
class Members:
    """What members said, and of what.

    Attributes:
        folder: of the study. records: one of each member; those that failed or diverged are
            among them, and say nothing.
        about: model, labels, classes and the rest, as `Setup.about` has it.
        temporary: a folder that goes when nobody holds the members.
        run: the record of the run on all rows, which is no member; None where there is none.

    Raises:
        DataError: no member has ended well.
    """

    folder: Path
    records: Records
    about: Mapping[str, Any]
    temporary: Any = None
    run: Record | None = None

    @classmethod
    def of(
        cls, folder: Path, records: Records, about: Mapping[str, Any], temporary: Any = None
    ) -> Members:
        """Return members from the records of a study, the run on all rows apart from them."""
        run = records.where(lambda r: r.condition.ratio == WHOLE)
        members = records.where(lambda r: r.condition.ratio != WHOLE)
        return cls(folder, members, about, temporary, run[0] if len(run) else None)

    def __post_init__(self) -> None:
        if not len(self.records.measured):
            statuses = [r.error or r.status for r in self.records if r.error or r.status]
            first = statuses[0] if statuses else "none was run"
            raise DataError(
                "no member of the ensemble has ended well",
                got=f"{len(self.records)} members; the first: {first}",
                remedy="mend what it says and run again, which tries failed members once more",
            )

    @cached_property
    def measured(self) -> Records:
        """The records of the members that ended well."""
        return self.records.measured

    @cached_property
    def labels(self) -> np.ndarray:
        """Labels of the rows, int64 `[n]`, positions in the classes; or targets, float64 `[n]`."""
        return self._as_labels(self.about["labels"])

    @cached_property
    def test_labels(self) -> np.ndarray | None:
        """The same of the rows that were evaluated besides; None where none were."""
        tested = self.about["test_labels"]
        return None if tested is None else self._as_labels(tested)

    def _as_labels(self, labels: Any) -> np.ndarray:
        return np.array(labels, np.float64 if self.about["classes"] is None else np.int64)

    @cached_property
    def classes(self) -> list[Any]:
        """Labels as they were given; of targets none."""
        return list(self.about["classes"] or ())

    @cached_property
    def ratios(self) -> tuple[float, ...]:
        """Shares of rows in a subset, rising."""
        return tuple(sorted({r.condition.ratio for r in self.records}))

    @cached_property
    def ratio_of_each(self) -> np.ndarray:
        """The ratio of each member that ended well, `[K]`."""
        return np.array([r.condition.ratio for r in self.measured])

    @cached_property
    def prior(self) -> np.ndarray | None:
        """Each row's loss, summed along the run on all rows, `[n]`; None where it is not known."""
        if self.run is None or not self.run.is_measured:
            return None
        losses = np.asarray(read_once(self.run.outcome, "cumulative_loss"), np.float64)
        return losses if np.isfinite(losses).all() else None

    def chosen_prior(self, prior: Any, masks: np.ndarray) -> Any:
        """Return a prior as it is given, or by the name ``one run`` the losses of that run.

        None where there is no run, or too few rows that some member of these saw, or did not.
        """
        if not isinstance(prior, str):
            return prior
        check_choice("prior", prior, (ONE_RUN,))
        n_known = min(int(masks.any(0).sum()), int((~masks).any(0).sum()))
        return self.prior if n_known >= FEWEST_ROWS else None

    @property
    def left_out(self) -> np.ndarray:
        """Rows that are in no subset because they were to be left out, int64."""
        return np.array(self.about.get("left_out", ()), np.int64)

    @property
    def votes(self) -> bool:
        """Whether members only name a class."""
        return self.measured[0].outcome.form == "labels"

    @property
    def n_test(self) -> int:
        """Rows that were evaluated besides."""
        return len(self.about["test_labels"] or ())

    @cached_property
    def columns(self) -> Columns:
        """What members say, as arrays `[K, n]` that are read one kind at a time."""
        outcomes = [r.outcome for r in self.measured]
        sizes = len(self.labels), self.n_test, len(self.classes)
        return Columns(outcomes, *sizes, self.folder, self.temporary)

    def at_ratio(self, ratio: float | None = None) -> Columns:
        """Return what the members of one ratio say, by default of the largest.

        Raises:
            UsageError: no member has this ratio.
        """
        wanted = self.ratios[-1] if ratio is None else ratio
        if wanted not in self.ratios:
            raise UsageError(
                "no member was trained on such a share of the rows",
                got=wanted,
                allowed=", ".join(map(str, self.ratios)),
            )
        if len(self.ratios) == 1:
            return self.columns
        return self.columns.some(np.flatnonzero(self.ratio_of_each == wanted))

    def check_evaluated(self) -> None:
        """Refuse to go on where no test rows were evaluated.

        Raises:
            UsageError: as above.
        """
        if not self.n_test:
            raise UsageError(
                "no test rows were evaluated when the members were trained",
                remedy="give evaluate=(X_test, y_test) to subset_ensemble, or keep='models' and "
                "then the rows",
            )
