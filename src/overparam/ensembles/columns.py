"""What members say of rows, as arrays `[K, n]` that are read from the study one column at a time.

A thousand members of fifty thousand rows are a gigabyte. One kind of statement at a time is copied
out of the members' arrays, whose checksums are verified on the way, into a file without a name that
is mapped: it lies on the disk, of it is in memory what is looked at, and it ends with the array.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from overparam.ensembles.member import unpacked
from overparam.errors import ResourceError
from overparam.lab.lazy import read_once

_BLOCK_BYTES = 2**27  # of float32 probabilities of all members and some rows
_ROW_FIELDS = {
    "margin": np.float32,
    "probability": np.float32,
    "correct": np.bool_,
    "prediction": np.float64,
}
_TEST_FIELDS = {
    "test_margin": np.float32,
    "test_correct": np.bool_,
    "test_prediction": np.float64,
}
_SILENT = np.float32(np.nan)


class Columns:
    """The statements of members, read when they are asked for.

    Args:
        outcomes: of the members, in order. n_rows, n_test, n_classes: of the data; 0 classes where
            members predict targets.
        folder: on whose disk the mapped files lie. temporary: what is held as long as this is.
    """

    def __init__(
        self,
        outcomes: Sequence[Any],
        n_rows: int,
        n_test: int,
        n_classes: int,
        folder: Path,
        temporary: Any = None,
    ) -> None:
        self._temporary = temporary
        self._outcomes, self._folder = list(outcomes), folder
        self._n_rows, self._n_test, self._n_classes = n_rows, n_test, n_classes
        self._made: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._outcomes)

    def some(self, which: np.ndarray) -> Columns:
        """Return the columns of some members, by position."""
        sizes = self._n_rows, self._n_test, self._n_classes
        return Columns([self._outcomes[k] for k in which], *sizes, self._folder, self._temporary)

    @property
    def in_subset(self) -> np.ndarray:
        """Which rows each member was trained on, bool `[K, n]`."""
        return self._matrix("subset", self._n_rows, np.bool_)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return margin, probability, correct `[K, n]`; or test_margin, test_correct `[K, m]`.

        Of members that predict targets, prediction and test_prediction.
        """
        if name in _TEST_FIELDS:
            return self._matrix(name, self._n_test, _TEST_FIELDS[name])
        return self._matrix(name, self._n_rows, _ROW_FIELDS[name])

    @property
    def known(self) -> np.ndarray:
        """Where each member says something, bool `[K, n]`: predictions of others may have gaps."""
        return ~np.isnan(self["probability"])

    @property
    def answers(self) -> np.ndarray:
        """Which answers are right, `[K, n]`: the column `correct`, or float32 with NaN in gaps."""
        known = self.known
        return self["correct"] if known.all() else np.where(known, self["correct"], _SILENT)

    @property
    def contradicted(self) -> bool:
        """Whether some member is right where its margin is below 0, or wrong where it is above."""
        return any(
            bool((c & (m < 0)).any() or (~c & (m > 0)).any())
            for m, c in zip(self.each("margin"), self.each("correct"), strict=True)
        )

    def outside(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield blocks of rows with their probabilities out of sample, float32 `[K, rows, C]`.

        NaN where a member had the row in its subset.
        """
        masks = self.in_subset
        n_out = int((~masks).sum(1).max())
        kept = mapped((len(self), n_out, self._n_classes), np.float16, self._folder)
        for k, said in enumerate(self.each("outside")):
            kept[k, : len(said)] = said
        step = max(1, _BLOCK_BYTES // (4 * len(self) * self._n_classes))
        done = np.zeros(len(self), np.int64)
        for start in range(0, self._n_rows, step):
            rows = slice(start, min(start + step, self._n_rows))
            out = ~masks[:, rows]
            block = np.full((*out.shape, self._n_classes), np.nan, np.float32)
            for k, (first, count) in enumerate(zip(done, out.sum(1), strict=True)):
                block[k, out[k]] = kept[k, first : first + count]
            done += out.sum(1)
            yield rows, block

    def test_probabilities(self) -> np.ndarray:
        """Return the mean probabilities of the evaluated rows, float64 `[m, C]`."""
        total = np.zeros((self._n_test, self._n_classes))
        for outcome in self._outcomes:
            total += read_once(outcome, "test_probabilities")
        return total / len(self)

    def each(self, name: str) -> Iterator[Any]:
        """Yield a field of each member, nothing of it being kept."""
        return (read_once(outcome, name) for outcome in self._outcomes)

    def _matrix(self, name: str, width: int, dtype: Any) -> np.ndarray:
        if name not in self._made:
            made = mapped((len(self), width), dtype, self._folder)
            for k, held in enumerate(self.each(name)):
                made[k] = unpacked(held, width) if name == "subset" else held
            made.flags.writeable = False
            self._made[name] = made
        return self._made[name]


def has_spread(masks: np.ndarray, margins: np.ndarray) -> bool:
    """Whether margins of some row differ among members that saw it, and among those that did not.

    Without that their spread says nothing of how sure a member is.
    """
    step = max(1, _BLOCK_BYTES // (8 * len(masks)))
    found = np.zeros(2, bool)
    for start in range(0, masks.shape[1], step):
        rows = slice(start, start + step)
        block, inside = margins[:, rows], masks[:, rows]
        for side, chosen in enumerate((inside, ~inside)):
            some = chosen & np.isfinite(block)
            low = np.min(block, axis=0, where=some, initial=np.inf)
            high = np.max(block, axis=0, where=some, initial=-np.inf)
            found[side] |= bool((high > low).any())
    return bool(found.all())


def mapped(shape: tuple[int, ...], dtype: Any, folder: Path) -> np.ndarray:
    """Return an empty array in a file without a name in `folder`, or where there is room for one.

    Raises:
        ResourceError: there is none.
    """
    try:
        with _nameless(folder) as file:
            n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
            file.truncate(max(n_bytes, 1))
            return np.memmap(file, dtype, "r+", shape=shape) if n_bytes else np.empty(shape, dtype)
    except OSError as error:
        raise ResourceError(
            "no room for what is read of an ensemble",
            got=str(error),
            remedy=f"free some space where {folder} lies, or set TMPDIR",
        ) from error


def _nameless(folder: Path) -> IO[bytes]:
    with contextlib.suppress(OSError):  # a study may lie where nothing can be written
        return tempfile.TemporaryFile(dir=folder)
    return tempfile.TemporaryFile()
