"""`EnsembleOfMembers`: what every ensemble is, whatever its members say: members, folder, rows."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from overparam.checks import check_path
from overparam.ensembles.columns import Columns
from overparam.ensembles.members import Members
from overparam.ensembles.setup import ABOUT, Setup, kind_of_outcome, study_of
from overparam.errors import UsageError
from overparam.lab.database import DATABASE
from overparam.lab.frames import as_frame
from overparam.lab.records import Records
from overparam.lab.store import Store

MakeLarger = Callable[..., Members]


class EnsembleOfMembers(ABC):
    """K models, each trained on a random subset of n rows.

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

    @abstractmethod
    def _lines(self) -> list[str]:
        """What is shown of it."""

    @abstractmethod
    def _row_table(self) -> dict[str, np.ndarray]:
        """All scores of every row, name to column."""

    @abstractmethod
    def _found(self) -> list[str]:
        """What is amiss with the members, a sentence each."""

    @property
    def folder(self) -> Path:
        """Where the study is kept; of given predictions, nowhere (`has_folder`)."""
        return self.members.folder

    @property
    def has_folder(self) -> bool:
        """Whether there is a study in it: of predictions that were given there is none."""
        return (self.folder / DATABASE).is_file()

    @property
    def records(self) -> Records:
        """One of each member; those that failed or diverged say nothing."""
        return self.members.records

    @property
    def model(self) -> str:
        """What is fitted, in one word."""
        return self.members.about["model"]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Shares of rows in a subset, rising."""
        return self.members.ratios

    @property
    def ratio_of_each(self) -> np.ndarray:
        """The share of each member that ended well, `[K]`."""
        return self.members.ratio_of_each

    @property
    def n_models(self) -> int:
        """Members that ended well, at all ratios."""
        return len(self.members.measured)

    @property
    def n_rows(self) -> int:
        """Rows of the data."""
        return len(self.members.labels)

    @property
    def columns(self) -> Columns:
        """What members say, as arrays `[K, n]` that are read one kind at a time."""
        return self.members.columns

    @property
    def in_subset(self) -> np.ndarray:
        """Which rows each member was trained on, bool `[K, n]`."""
        return self.columns.in_subset

    @cached_property
    def row_table(self) -> dict[str, np.ndarray]:
        """All scores of every row, column by column; see `rows`."""
        return self._row_table()

    @property
    def rows(self) -> Any:
        """All scores of every row, as a pandas DataFrame; `row_table` is the same without pandas.

        Raises:
            UsageError: pandas is not installed.
        """
        return as_frame(self.row_table, "take .row_table", index="row")

    @cached_property
    def findings(self) -> tuple[str, ...]:
        """What is to be known before the scores are believed, a sentence each."""
        return (*self.members.about["findings"], *self._found())

    @property
    def notes(self) -> tuple[str, ...]:
        """How the data were read, and what the engine fell back to."""
        return tuple(self.members.about["notes"])

    def extend(self, n_models: int, **options: Any) -> Self:
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
        """Write the study into a folder that is not there yet, or is empty; return it.

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
        if self.has_folder:
            shutil.copytree(self.folder, place, dirs_exist_ok=True)
            return place
        about = dict(self.members.about)
        with Store.open(place, study_of(outcome=kind_of_outcome(about["classes"]))) as store:
            store.set(ABOUT, about)
            store.write(self.records, "predictions")
        return place

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def __len__(self) -> int:
        return self.n_models
