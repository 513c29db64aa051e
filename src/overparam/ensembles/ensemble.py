"""`Ensemble`: models trained on random subsets, and what follows from what they say of rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from overparam.checks import check_path
from overparam.ensembles.columns import Columns, has_spread
from overparam.ensembles.exposure import Exposure, exposure_of
from overparam.ensembles.findings import findings_of
from overparam.ensembles.kept_models import correct_of, probabilities_of
from overparam.ensembles.members import ONE_RUN, Members
from overparam.ensembles.row_table import row_table
from overparam.ensembles.setup import Setup
from overparam.ensembles.telling import lines_of
from overparam.errors import UsageError
from overparam.lab.records import Records
from overparam.measures.held_out_accuracy import CScores, LearningCurve, c_scores, learning_curve
from overparam.measures.influence import InfluencePairs, influence_scores
from overparam.measures.label_errors import (
    LabelErrors,
    RateEstimate,
    estimate_noise_rate,
    rank_label_errors,
)
from overparam.measures.memorization import MemorizationScores, memorization_scores
from overparam.measures.out_of_sample import OutOfSample, out_of_sample_probabilities

_OUT_OF_SAMPLE = ("probabilities", "standard_error", "n_out", "n_missing")
MakeLarger = Callable[..., Members]


class Ensemble:
    """K models, each trained on a random subset of n rows. Made by `subset_ensemble`.

    Whatever is asked is computed from the arrays of the study in `folder`, which are read when they
    are needed.

    Attributes:
        members: what they said, read from the study in `folder` when it is needed.
        setup: what they are made from; None where the ensemble was loaded.
    """

    def __init__(
        self, members: Members, setup: Setup | None = None, larger: MakeLarger | None = None
    ) -> None:
        self.members, self.setup, self._larger = members, setup, larger

    @property
    def folder(self) -> Path:
        """Where the study is kept."""
        return self.members.folder

    @property
    def records(self) -> Records:
        """One of each member; those that failed or diverged say nothing."""
        return self.members.records

    @property
    def model(self) -> str:
        """What is fitted, in one word."""
        return self.members.about["model"]

    @property
    def labels(self) -> np.ndarray:
        """Labels of the rows, int64 `[n]`, positions in `classes`."""
        return self.members.labels

    @property
    def classes(self) -> list[Any]:
        """Labels as they were given."""
        return self.members.classes

    @property
    def ratios(self) -> tuple[float, ...]:
        """Shares of rows in a subset, rising."""
        return self.members.ratios

    @property
    def n_models(self) -> int:
        """Members that ended well, at all ratios."""
        return len(self.members.measured)

    @property
    def n_rows(self) -> int:
        """Rows of the data."""
        return len(self.labels)

    @property
    def columns(self) -> Columns:
        """What members say, as arrays `[K, n]` that are read one kind at a time."""
        return self.members.columns

    @property
    def in_subset(self) -> np.ndarray:
        """Which rows each member was trained on, bool `[K, n]`."""
        return self.columns.in_subset

    def memorization_scores(
        self,
        *,
        prior: Any = ONE_RUN,
        ratio: float | None = None,
        counted: bool = False,
        confidence: float = 0.95,
    ) -> MemorizationScores:
        """Return how much the label of each row is memorized, with intervals.

        By the margins' tail (`overparam.measures.memorization_scores`). Right and wrong answers are
        counted where margins do not vary: of models that only name a class, of a tree that is sure
        of every row it saw, or where no row is twice on a side; and where an estimator's own
        predictions are not those of its largest output. `method` says which it was.

        Args:
            prior: `[n]`, see there; or None. By default, the losses of the run on all rows, which
                an ensemble of networks has.
            ratio: of the members that count, by default the largest.
            counted: count in any case. confidence: nominal coverage of each row's interval.
        """
        columns = self.members.at_ratio(ratio)
        masks = columns.in_subset
        votes = self.members.votes or columns.contradicted
        if not counted and not votes and has_spread(masks, columns["margin"]):
            margins = columns["margin"]
            prior = self.members.chosen_prior(prior, masks)
            return memorization_scores(masks, margins=margins, prior=prior, confidence=confidence)
        return memorization_scores(masks, columns["correct"], confidence=confidence)

    def out_of_sample_probabilities(self, ratio: float | None = None) -> OutOfSample:
        """Return the mean probabilities `[n, classes]` of the models that did not see a row."""
        columns = self.members.at_ratio(ratio)
        found = [
            out_of_sample_probabilities(columns.in_subset[:, rows], block)
            for rows, block in columns.outside()
        ]
        parts = [np.concatenate([getattr(f, name) for f in found]) for name in _OUT_OF_SAMPLE]
        return OutOfSample(*parts)

    def label_errors(self, ratio: float | None = None) -> LabelErrors:
        """Return rows ordered by how improbable their label is out of sample."""
        return rank_label_errors(self.out_of_sample_probabilities(ratio).probabilities, self.labels)

    def noise_rate(self, ratio: float | None = None, *, confidence: float = 0.95) -> RateEstimate:
        """Return the share of labels that are wrong, with an interval."""
        said = self.out_of_sample_probabilities(ratio).probabilities
        return estimate_noise_rate(said, self.labels, confidence=confidence)

    def influence_scores(
        self, X_test: Any = None, y_test: Any = None, *, ratio: float | None = None, **options: Any
    ) -> InfluencePairs:
        """Return the strongest pairs of a training row and a test row; see `measures`.

        Args:
            X_test, y_test: by default the rows given as ``evaluate``, of which every member's
                answer is kept. Others are asked of the members' models (``keep="models"``).
            options: of `overparam.measures.influence_scores`; by default `memorization` are the
                scores of this ensemble.

        Raises:
            UsageError: no rows were evaluated, or the models were not kept.
        """
        columns = self.members.at_ratio(ratio)
        if X_test is None:
            self.members.check_evaluated()
            correct = columns["test_correct"]
        else:
            correct = correct_of(self, columns, X_test, y_test)
        if "memorization" not in options:
            options["memorization"] = self.memorization_scores(ratio=ratio).estimate
        return influence_scores(columns.in_subset, correct, **options)

    def membership(
        self,
        attack: str = "lira",
        *,
        fprs: Sequence[float] = (0.01, 0.001),
        ratio: float | None = None,
        confidence: float = 0.95,
    ) -> Exposure:
        """Return how well an attack tells members from others, the models being targets in turn.

        Args:
            attack: ``lira``, ``ratio``, ``rmia`` or ``loss``. fprs: at which the TPR is asked for.
        """
        columns = self.members.at_ratio(ratio)
        return exposure_of(columns, attack, tuple(fprs), confidence, margins=not self.members.votes)

    def c_scores(self) -> CScores:
        """Return the consistency of each row: its accuracy out of sample, over all ratios."""
        return c_scores(self.in_subset, self.columns["correct"], self.members.ratio_of_each)

    def learning_curve(self, *, confidence: float = 0.95) -> LearningCurve:
        """Return how accuracy out of sample grows with the share of rows, a point a ratio."""
        correct = self.columns["correct"]
        return learning_curve(
            self.in_subset, correct, self.members.ratio_of_each, confidence=confidence
        )

    def prediction(self, X: Any = None) -> np.ndarray:
        """Return the mean probabilities `[m, classes]` of all members.

        Args:
            X: inputs, asked of the kept models; by default the rows given as ``evaluate``.

        Raises:
            UsageError: as in `influence_scores`.
        """
        if X is None:
            self.members.check_evaluated()
            return self.columns.test_probabilities()
        total = sum(probabilities_of(self, self.columns, X))
        return np.asarray(total) / self.n_models

    @cached_property
    def row_table(self) -> dict[str, np.ndarray]:
        """All scores of every row, column by column; see `rows`."""
        return row_table(self)

    @property
    def rows(self) -> Any:
        """All scores of every row, as a pandas DataFrame; `row_table` is the same without pandas.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError:
            raise UsageError(
                "a DataFrame needs pandas, which is not installed",
                remedy="pip install pandas; or take .row_table",
            ) from None
        return DataFrame(self.row_table).rename_axis("row")

    @cached_property
    def findings(self) -> tuple[str, ...]:
        """What is to be known before the scores are believed, a sentence each."""
        return (*self.members.about["findings"], *findings_of(self))

    @property
    def notes(self) -> tuple[str, ...]:
        """How the data were read, and what the engine fell back to."""
        return tuple(self.members.about["notes"])

    def extend(self, n_models: int, **options: Any) -> Ensemble:
        """Train more members, until there are `n_models` at each ratio, and return this ensemble.

        Args:
            options: of running, as in `subset_ensemble`: workers, device, memory_bytes,
                on_progress.

        Raises:
            UsageError: fewer than there are, or the ensemble was loaded from its folder, which
            holds no model and no data. StoreError: the data, the model or what its code reads was
            changed since, so that more members would be of something else.
        """
        if self._larger is None:
            raise UsageError(
                "an ensemble that was loaded has no model to train and no data",
                got=str(self.folder),
                remedy="write subset_ensemble(model, X, y, n_models=..., folder=...) with what it "
                "was made of: members that are there are not trained again",
            )
        n_present = len(self.records) // len(self.ratios)
        if n_models < n_present:
            raise UsageError(
                "an ensemble is extended to more models",
                got=n_models,
                allowed=f"at least {n_present} at each ratio, which there are",
            )
        self.members = self._larger(n_models, self.folder, self.members.temporary, **options)
        for name in ("row_table", "findings"):  # of fewer members
            self.__dict__.pop(name, None)
        return self

    def save(self, folder: str | Path) -> Path:
        """Copy the study into a folder that is not there yet, or is empty; return it.

        Raises:
            UsageError: something is there.
        """
        place = check_path(folder)
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise UsageError(
                "an ensemble is saved where nothing is yet",
                got=str(place),
                allowed="a new folder, or an empty one",
            )
        shutil.copytree(self.folder, place, dirs_exist_ok=True)
        return place

    def __repr__(self) -> str:
        return "\n".join(lines_of(self))

    def __len__(self) -> int:
        return self.n_models
