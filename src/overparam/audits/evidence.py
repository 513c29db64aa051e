"""`Evidence`: what was measured of a subject, each part once, and why a part is not there.

A check asks for parts by their names here (``evidence.models``). A part that was not measured
raises `Missing` with the reason, which becomes the check's row in the report: it never passes for
something that was looked at and found well.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from overparam.audits.canaries import Canaries
from overparam.audits.course import Course, course_of_rounds
from overparam.audits.finding import Status
from overparam.audits.in_use import InUse, ask_in_use
from overparam.audits.one_model import OneModel
from overparam.audits.subject import Subject
from overparam.audits.subset_models import SubsetModels
from overparam.audits.suspects import Suspects, suspects_among
from overparam.audits.variants import Variant
from overparam.ensembles.exposure import Exposure
from overparam.errors import DataError
from overparam.measures.copies.conflicts import LabelConflicts, label_conflicts
from overparam.measures.copies.duplicates import Duplicates, find_duplicates, group_of_rows

# What stages measure, in the order in which a budget pays for them; what each is.
STAGES = {
    "one": "one model on all rows",
    "models": "models on random subsets of the rows",
    "variants": "the same recipe, larger, smaller, longer or shorter",
    "shuffled": "models on rows whose labels were shuffled",
    "curve": "models on fewer rows",
    "references": "simple models of other kinds",
    "cleaned": "the same recipe on rows whose doubted labels were mended",
    "canaries": "models on a copy with planted wrong labels",
}
PARTS = (*STAGES, "test", "table", "copies", "course", "in_use")
_SHARE_OF_CHECK = 0.02  # of the budget, that one check may take beside what is trained
_FEW_SECONDS, _MOST_SHARE = 3.0, 0.1  # or so long, where that is more; but never a larger share


class Missing(Exception):
    """A part of the evidence is not there.

    Args:
        status: ``skipped``, ``not applicable`` or ``failed``. reason: one sentence.
    """

    def __init__(self, status: Status, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(reason)


class Evidence:
    """What was measured of a subject.

    Args:
        subject: what is audited. seed: of whatever a check draws. confidence: nominal coverage of
            all intervals. budget: seconds that the whole audit may take.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        seed: int = 0,
        confidence: float = 0.95,
        budget: float = 600.0,
    ) -> None:
        self.subject, self.seed, self.confidence = subject, seed, confidence
        self.budget = budget
        self._parts: dict[str, Any] = {}
        self._missing: dict[str, Missing] = {}
        self.notes: list[str] = []  # what is to be known of how it was measured

    def put(self, name: str, part: Any) -> None:
        """Keep what a stage measured."""
        self._parts[name] = part
        self._missing.pop(name, None)

    def lack(self, name: str, status: Status, reason: str) -> None:
        """Say why a stage measured nothing."""
        self._missing[name] = Missing(status, reason)

    def has(self, name: str) -> bool:
        """Whether a part is there, which a check can do without."""
        try:
            self.require(name)
        except Missing:
            return False
        return True

    def require(self, name: str) -> Any:
        """Return a part by its name.

        Raises:
            Missing: it is not there.
        """
        return getattr(self, name)

    @property
    def seconds_per_check(self) -> float:
        """Seconds that one check may compute: by them it chooses how many rows it looks at."""
        wanted = max(_SHARE_OF_CHECK * self.budget, _FEW_SECONDS)
        return min(wanted, _MOST_SHARE * self.budget)

    @property
    def failure(self) -> str:
        """Why no model could be trained at all; "" where one was, or where none was tried."""
        if self.has("one") or self.has("models"):
            return ""
        reasons = [self._missing.get(name) for name in ("one", "models")]
        failed = [r.reason for r in reasons if r is not None and r.status == "failed"]
        return failed[0].partition(": ")[2] if failed else ""  # past the stage's name

    @property
    def one(self) -> OneModel:
        """One model on all rows, and what it says of training and test rows."""
        return self._part("one")

    @property
    def models(self) -> SubsetModels:
        """Models on random subsets, and what they say of rows that they did not see."""
        return self._part("models")

    @property
    def shuffled(self) -> tuple[tuple[float, SubsetModels], ...]:
        """Share of labels that were replaced by others at random, and models on such rows."""
        return self._part("shuffled")

    @property
    def curve(self) -> SubsetModels:
        """Models on fewer rows: its ensemble has several ratios, the largest that of `models`."""
        return self._part("curve")

    @property
    def variants(self) -> tuple[tuple[Variant, SubsetModels], ...]:
        """The same recipe with another capacity or length, each on the subsets of `models`."""
        return self._part("variants")

    @property
    def references(self) -> tuple[tuple[Variant, SubsetModels], ...]:
        """Simple models of other kinds, each on the subsets of `models`."""
        return self._part("references")

    @property
    def cleaned(self) -> SubsetModels:
        """Models on the subsets of `models`, in which the labels of `suspects` were mended."""
        return self._part("cleaned")

    @property
    def canaries(self) -> Canaries:
        """Models on a copy of the data with planted wrong labels."""
        return self._part("canaries")

    @cached_property
    def suspects(self) -> Suspects:
        """Rows whose labels `models` doubt."""
        return suspects_among(self.models, self.undecided_rows, self.confidence)

    @cached_property
    def undecided_rows(self) -> np.ndarray:
        """Rows whose copies have other labels, where wrong labels alone do not explain that, bool
        `[n]`: the input does not decide, and no label is the wrong one.
        """
        rows = np.zeros(self.subject.n_rows, bool)
        if not self.subject.has_no_inputs and self.subject.has_classes and self.copies.sets:
            found = self.conflicts
            if found.rows and found.p_errors <= 1 - self.confidence:
                rows[np.concatenate(found.rows)] = True
        return rows

    @cached_property
    def exposure(self) -> Exposure:
        """What models give away of their subsets, each attacked by the others."""
        self._require_classes()
        ensemble = self.models.ensemble
        attack = "ratio" if ensemble.members.votes else "lira"
        try:
            return ensemble.membership(attack, confidence=self.confidence)
        except DataError as error:  # too few models, or margins that are infinite
            raise Missing("skipped", f"membership: {error}") from error

    @property
    def test(self) -> Any:
        """The test set, as `Examples`."""
        if self.subject.test is None:
            raise Missing("not applicable", "no test set was given (test=)")
        return self.subject.test

    @property
    def table(self) -> Any:
        """The training inputs, where they are a table: `[n, p]` or a DataFrame."""
        if not self.subject.is_table:
            raise Missing("not applicable", "the inputs are no table of columns")
        return self.subject.train.inputs

    @property
    def course(self) -> Course:
        """What the one model said of rows along its training, step by step."""
        found = self.one.course or self._course_of_rounds
        if found is None or len(found.steps) < 2:
            raise Missing(
                "not applicable", "the model is not trained in steps that can be looked at"
            )
        return found

    @cached_property
    def _course_of_rounds(self) -> Course | None:
        return course_of_rounds(self.one.fitted, self.subject)

    @property
    def in_use(self) -> InUse:
        """The model in use, and what it says of training and test rows."""
        if self.subject.fitted is None:
            raise Missing("not applicable", "no model in use was given (fitted=)")
        return self._in_use

    @cached_property
    def _in_use(self) -> InUse:
        return ask_in_use(self.subject)

    @property
    def copies(self) -> Duplicates:
        """Exact copies within the training rows, and between them and the test rows."""
        if self.subject.has_no_inputs:
            raise Missing("not applicable", "no inputs were given, only predictions")
        return self._copies

    @cached_property
    def _copies(self) -> Duplicates:
        test = self.subject.test
        return find_duplicates(self.subject.train.inputs, None if test is None else test.inputs)

    @cached_property
    def conflicts(self) -> LabelConflicts:
        """Equal inputs whose labels differ."""
        self._require_classes()
        return label_conflicts(self.copies, self.subject.train.labels, confidence=self.confidence)

    @property
    def test_groups(self) -> np.ndarray | None:
        """What belongs together among test rows, `[m]`: exact copies; None for nothing."""
        if self.subject.has_no_inputs or self.copies.group_of_other is None:
            return None
        return np.unique(self.copies.group_of_other, return_inverse=True)[1]

    @cached_property
    def groups(self) -> np.ndarray | None:
        """What belongs together, int64 `[n]`: the user's groups and exact copies; or None."""
        parts: list[Any] = [] if self.subject.groups is None else [self.subject.groups]
        if not self.subject.has_no_inputs and self.copies.sets:
            parts.append(self.copies)
        return group_of_rows(*parts) if parts else None

    def _require_classes(self) -> None:
        if not self.subject.has_classes:
            raise Missing("not applicable", "the targets are numbers, not classes")

    def _part(self, name: str) -> Any:
        if name in self._parts:
            return self._parts[name]
        raise self._missing.get(name) or Missing("skipped", f"{STAGES[name]}: not measured")
