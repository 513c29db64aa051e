"""A small set of loans with planted faults, and a forest, for `overparam audit` without data.

Whether a loan is repaid follows from a few columns. Then things go wrong with the table, as they
do: labels are typed in wrongly, rows are entered twice, a fee is written down once the outcome is
known. Of each fault it is kept where it was planted, and what an audit finds is held against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from overparam.audits.finding import Finding
from overparam.audits.subject import Subject, make_subject
from overparam.streams import Streams

N_TRAIN, N_TEST = 900, 450
REPAID, DEFAULTED = "repaid", "defaulted"
_COLUMNS = ("age", "income", "amount", "months", "rate", "accounts", "fee", "branch")
_OLD = 65  # from this age on nothing in the table tells the outcome
_N_WRONG, _N_TWICE, _N_CONFLICTS, _N_LEAKED = 36, 20, 8, 40


@dataclass(frozen=True, eq=False)
class Fault:
    """One kind of fault, and every place where it was planted.

    Attributes:
        code: of the check that is to find it. what: it is, in a few words.
        rows: of each place, the training rows by which it shows; any of them counts.
        columns: names of columns that are amiss; of such a fault there are no rows.
    """

    code: str
    what: str
    rows: tuple[tuple[int, ...], ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def n_planted(self) -> int:
        """Places where it was planted."""
        return len(self.rows) or len(self.columns)

    def n_found(self, findings: Mapping[str, Finding]) -> int:
        """Return how many of them an audit names: among a finding's rows, or in its words."""
        finding = findings.get(self.code)
        if finding is None or finding.status != "found":
            return 0
        if self.rows:
            named = set(finding.rows.tolist())
            return sum(not named.isdisjoint(place) for place in self.rows)
        said = {*_texts_in(finding.details), *re.findall(r"[a-z]+", finding.sentence)}
        return sum(name in said for name in self.columns)


@dataclass(frozen=True, eq=False)
class Demonstration:
    """What is audited, and what was planted in it."""

    subject: Subject
    faults: tuple[Fault, ...]


def make_demonstration(seed: int = 0) -> Demonstration:
    """Return a forest on loans, with faults of nine kinds.

    A table is a DataFrame where pandas is installed; else an array, whose columns are numbered.
    """
    rng = Streams(seed).numpy("demonstration")
    train, y = _loans(N_TRAIN, rng)
    test, y_test = _loans(N_TEST, rng)
    test["amount"] *= 1.5  # the loans of another year
    free = rng.permutation(np.flatnonzero(train["age"] < _OLD)).tolist()

    def some(n: int) -> np.ndarray:
        return np.array([free.pop() for _ in range(n)])

    wrong = some(_N_WRONG)
    y[wrong] = 1 - y[wrong]
    first, again = some(_N_TWICE), some(_N_TWICE)
    _copy(train, again, train, first)
    y[again] = y[first]
    one, other = some(_N_CONFLICTS), some(_N_CONFLICTS)
    _copy(train, other, train, one)
    y[other] = 1 - y[one]
    leaked, into = some(_N_LEAKED), rng.permutation(N_TEST)[:_N_LEAKED]
    _copy(test, into, train, leaked)
    y_test[into] = y[leaked]
    table, names = _table(train)
    faults = (
        Fault("OP202", "wrong labels", tuple((int(i),) for i in wrong)),
        Fault("OP203", "equal rows with two labels", _pairs(one, other)),
        Fault("OP204", "rows entered twice", _pairs(first, again)),
        Fault("OP206", "training rows in the test set", tuple((int(i),) for i in leaked)),
        Fault("OP305", "an age at which nothing tells", columns=(names["age"],)),
        Fault("OP501", "a fee that is written afterwards", columns=(names["fee"],)),
        Fault("OP503", "an income that defaulters omit", columns=(names["income"],)),
        Fault("OP504", "a column that never changes", columns=(names["branch"],)),
        Fault("OP506", "amounts that have grown since", columns=(names["amount"],)),
    )
    words = np.array([REPAID, DEFAULTED])
    model = RandomForestClassifier(60, n_jobs=1)
    subject = make_subject(model, table, words[y], test=(_table(test)[0], words[y_test]))
    return Demonstration(subject, faults)


def _texts_in(value: Any) -> Iterator[str]:
    """Yield the texts in nested details; an array's columns are named by numbers, told there alone.

    >>> sorted(_texts_in({"columns": ["3", "fee"], "n": 7}))
    ['3', 'columns', 'fee', 'n']
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts_in([*value, *value.values()])
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts_in(part)


def _loans(n: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return columns of loans, and whether each defaulted (1)."""
    age = np.where(rng.random(n) < 0.1, rng.uniform(_OLD, 80, n), rng.uniform(20, _OLD, n))
    income, amount = rng.lognormal(8, 0.4, n), rng.lognormal(9, 0.5, n)
    months, rate = rng.integers(6, 61, n).astype(float), rng.uniform(2, 12, n)
    burden = np.log(amount / income) - 0.02 * (months - 33) + 0.15 * (rate - 7)
    defaulted = burden + 0.3 * rng.standard_normal(n) > 1.0
    old = age >= _OLD
    defaulted[old] = rng.random(int(old.sum())) < 0.5
    fee = np.where(defaulted & ~old & (rng.random(n) < 0.97), rng.uniform(20, 90, n), 0.0)
    omitted = rng.random(n) < np.where(defaulted, 0.5, 0.05)
    columns = (
        age,
        np.where(omitted, np.nan, income),
        amount,
        months,
        rate,
        rng.poisson(3, n).astype(float),
        fee,
        np.full(n, 7.0),
    )
    return dict(zip(_COLUMNS, columns, strict=True)), defaulted.astype(np.int64)


def _copy(
    into: dict[str, np.ndarray], rows: np.ndarray, source: dict[str, np.ndarray], at: np.ndarray
) -> None:
    for name, column in into.items():
        column[rows] = source[name][at]


def _pairs(first: np.ndarray, second: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple((int(a), int(b)) for a, b in zip(first, second, strict=True))


def _table(columns: dict[str, np.ndarray]) -> tuple[Any, dict[str, str]]:
    """Return the table, and what its columns are called there."""
    try:
        from pandas import DataFrame
    except ImportError:
        return np.stack(list(columns.values()), axis=1), {
            name: str(i) for i, name in enumerate(columns)
        }
    return DataFrame(columns), {name: name for name in columns}
