"""What an ensemble costs and what it buys, before anything runs: K, precision, time, memory."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from overparam.checks import check_range
from overparam.data.subsets import models_until_balanced
from overparam.ensembles.setup import Setup
from overparam.errors import UsageError
from overparam.lab.machine import find_device
from overparam.lab.plan import plan_study
from overparam.lab.pool import Pool
from overparam.lab.runner import DEFAULT_MEMORY_BYTES
from overparam.machine import available_cores
from overparam.training.choices import choices_file

SHOWN = (10, 20, 40, 80, 160, 320, 640, 1280)  # K of which a plan tells beside its own
MOST_MODELS = 100_000  # of one plan; more are a slip of the keyboard
_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
# Standard error of the share of models that are right where half of them are, times sqrt(models):
# counted, and read off a normal tail, whose position is known to 1/sqrt(models).
_COUNTED, _TAIL = 0.5, 1 / math.sqrt(2 * math.pi)
_ROW_BYTES = 4 + 4 + 1  # margin, probability, correct
_TARGET_BYTES = 8  # a prediction
_SCORE = "a memorization score"
_PREDICTION = "a prediction out of sample, in deviations of the models',"
_ROWS_DRAWN = 2000  # of which it is read how many are both in and out


@dataclass(frozen=True)
class EnsemblePlan:
    """What K models cost and buy.

    Attributes:
        n_models: K at each ratio. ratios: shares of rows.
        standard_error: expected of the memorization score of a row that half of the models get
            right where they did not see it, and all where they did: the least sure of the rows
            that matter, counted. Typical rows are surer, and so are margins, by about a fifth.
            Of targets, of a row's mean prediction out of sample, in standard deviations of what
            models predict of it. precision_of: says which.
        share_on_both_sides: of the rows, those that are in some subset and out of another.
        seconds: expected, with `workers`. seconds_per_model: of one model, on one core.
        memory_bytes: of all workers. disk_bytes: of the study.
        run_seconds: of the run on all rows, of which scores get their prior; 0 where there is none.
        measured: whether the time is that of members that were trained, or of a short trial.
        n_done: members of these that are there already, and cost nothing.
        notes: what was assumed.
    """

    n_models: int
    ratios: tuple[float, ...]
    standard_error: float
    share_on_both_sides: float
    seconds: float
    seconds_per_model: float
    memory_bytes: int
    disk_bytes: int
    workers: int
    measured: bool = False
    n_done: int = 0
    notes: tuple[str, ...] = ()
    run_seconds: float = 0.0
    precision_of: str = _SCORE

    def at(self, n_models: int, n_done: int | None = None) -> EnsemblePlan:
        """Return the plan of another number of models."""
        done = self.n_done if n_done is None else n_done
        left = max(n_models * len(self.ratios) - done, 0)
        busy = max(1, min(self.workers, left))
        scale = math.sqrt(self.n_models / n_models)
        return replace(
            self,
            n_models=n_models,
            standard_error=self.standard_error * scale,
            share_on_both_sides=share_on_both_sides(n_models, self.ratios[-1]),
            seconds=math.ceil(left / busy) * self.seconds_per_model + self._run_left(done),
            disk_bytes=self.disk_bytes * n_models // self.n_models,
            n_done=done,
        )

    def corrected(self, seconds_per_model: float, n_done: int) -> EnsemblePlan:
        """Return the plan with the time that members took, of which `n_done` are there."""
        corrected = replace(self, seconds_per_model=seconds_per_model, measured=True)
        return corrected.at(self.n_models, n_done)

    def within(self, seconds: float) -> EnsemblePlan:
        """Return the plan of as many models as the time allows, at least until all rows have both
        sides."""
        left = seconds - self._run_left(self.n_done)
        rounds = math.floor(max(left, 0.0) / max(self.seconds_per_model, 1e-9))
        total = min(rounds * self.workers + self.n_done, MOST_MODELS)
        fewest = models_until_balanced(self.ratios[-1])
        return self.at(max(total // len(self.ratios), fewest))

    def _run_left(self, n_done: int) -> float:
        """Return the seconds of the run on all rows, which comes with the first members."""
        return 0.0 if n_done else self.run_seconds

    def as_sure_as(self, standard_error: float) -> EnsemblePlan:
        """Return the plan of as few models as reach a standard error."""
        n = self.n_models * (self.standard_error / standard_error) ** 2
        fewest = models_until_balanced(self.ratios[-1])
        if n > MOST_MODELS:
            least = self.standard_error * math.sqrt(self.n_models / MOST_MODELS)
            raise UsageError(
                "so small a standard error takes more models than anybody trains",
                got=f"{standard_error:g}, which takes {n:.2g} models",
                allowed=f"at least {least:.2g}",
            )
        return self.at(max(math.ceil(n - 1e-9), fewest))

    def table(self) -> list[tuple[int, float, float, float]]:
        """Return (K, standard error, share with both sides, seconds) of this K and usual ones."""
        sizes = sorted({*SHOWN, self.n_models})
        plans = [self.at(k) for k in sizes]
        return [(p.n_models, p.standard_error, p.share_on_both_sides, p.seconds) for p in plans]

    def __repr__(self) -> str:
        from_what = "as members took" if self.measured else "from a short trial"
        each = f"{self.seconds_per_model:.3g} s a model, {from_what}"
        run = f"; and {self.run_seconds:.3g} s for one run on all rows" if self.run_seconds else ""
        lines = [
            f"Plan: {self.n_models:,} models at each ratio of "
            + ", ".join(f"{r:g}" for r in self.ratios),
            f"  precision  standard error of {self.precision_of} up to {self.standard_error:.2g}; "
            f"{100 * self.share_on_both_sides:.4g} % of rows are both in and out",
            f"  time       {in_words(self.seconds)} with {self.workers} workers ({each}{run})",
            f"  memory     {self.memory_bytes / 2**20:,.0f} MiB of all workers",
            f"  disk       {self.disk_bytes / 2**20:,.1f} MiB",
        ]
        near = [row for row in self.table() if row[0] != self.n_models]
        for k, error, _, seconds in near[:3]:
            lines.append(f"  {k:>5,} models: standard error {error:.2g}, {in_words(seconds)}")
        lines += [f"  note       {note[:110]}" for note in self.notes[:2]]
        return "\n".join(lines)


def plan_setup(
    setup: Setup,
    n_models: int,
    *,
    workers: int | None = None,
    device: str = "auto",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    pool: Pool | None = None,
) -> EnsemblePlan:
    """Return what `n_models` at each ratio would cost: one unit of work is timed by a short trial.

    Not in it is the start of the worker processes, some seconds; with a `pool` they are there.

    Cost: seconds; nothing is trained to its end.
    """
    found = find_device(device)
    if pool is not None:
        workers = pool.n_workers
    elif workers is None:
        workers = available_cores() if found == "cpu" else 1
    unit = setup.learner.stack_size
    largest = replace(setup, ratios=setup.ratios[-1:])  # the dearest members
    plan = partial(
        plan_study,
        seeds=[setup.seed],
        workers=0 if workers == 0 else 1,
        device=device,
        memory_bytes=memory_bytes // max(workers, 1),
        choices_path=choices_file(),
        pool=pool,
    )
    trial = plan(largest.study(unit + 1, first=1))  # the first member may be fitted several times
    run = plan(setup.run_alone()).core_seconds if setup.has_run else 0.0
    each = trial.core_seconds / unit
    busy = max(1, min(workers, math.ceil(n_models * len(setup.ratios) / unit)))
    start = EnsemblePlan(
        n_models,
        setup.ratios,
        _expected(setup, n_models),
        0.0,
        0.0,
        each,
        trial.memory_bytes * busy,
        n_models * _bytes_of_members(setup),
        max(workers, 1),
        notes=trial.notes,
        run_seconds=run,
        precision_of=_PREDICTION if setup.classes is None else _SCORE,
    )
    return start.at(n_models)


def _expected(setup: Setup, n_models: int) -> float:
    """Return the standard error of a score; of targets, of a mean in their deviations."""
    if setup.classes is None:
        return 1 / math.sqrt((1 - setup.ratios[-1]) * n_models)
    return expected_standard_error(n_models, setup.ratios[-1], counted=True)


def expected_standard_error(n_models: int, ratio: float, *, counted: bool = False) -> float:
    """Return the standard error of the score of a row that half of the models get right unseen.

    Its accuracy when in is taken as known: who has seen such a row is right. What is left is that
    of the n_out = (1 - ratio) K models that have not, .5 / sqrt(n_out) counted, and
    phi(0) / sqrt(n_out) = .4 / sqrt(n_out) by the tail of margins.

    >>> round(expected_standard_error(333, 0.7, counted=True), 3)  # the published rule of thumb
    0.05
    """
    return (_COUNTED if counted else _TAIL) / math.sqrt((1 - ratio) * n_models)


def share_on_both_sides(n_models: int, ratio: float) -> float:
    """Return the share of rows that some subset has and another has not.

    >>> share_on_both_sides(4, 0.7), share_on_both_sides(1, 0.7)
    (1.0, 0.0)
    """
    if n_models >= models_until_balanced(ratio):
        return 1.0
    from overparam.data.subsets import draw_subsets
    from overparam.streams import Streams

    masks = draw_subsets(n_models, _ROWS_DRAWN, ratio, Streams(0))
    return float(np.mean(masks.any(0) & ~masks.all(0)))


def read_seconds(budget: Any) -> float:
    """Return a budget in seconds, from a number of them or a text such as ``"10 min"``.

    Raises:
        UsageError: neither, or no time at all.

    >>> read_seconds("10 min"), read_seconds("10m"), read_seconds("1.5 h"), read_seconds(90)
    (600.0, 600.0, 5400.0, 90.0)
    """
    if isinstance(budget, int | float) and not isinstance(budget, bool):
        return check_range("budget", float(budget), 0, math.inf, open_low=True)
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(s|m|min|h)\s*", str(budget))
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not seconds > 0:
        raise UsageError(
            "this is no budget of time",
            got=budget,
            allowed="seconds, or a text such as '90s', '10m', '10 min' or '2h'",
        )
    return seconds


def in_words(seconds: float) -> str:
    """Return a time as people say it.

    >>> in_words(12.3), in_words(600), in_words(9000)
    ('12 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.2g} min" if seconds < 5400 else f"{seconds / 3600:.2g} h"


def _bytes_of_members(setup: Setup) -> int:
    """Return the bytes that a study keeps of one member at each ratio."""
    n, m = len(setup.labels), 0 if setup.test_labels is None else len(setup.test_labels)
    if setup.classes is None:
        return (_TARGET_BYTES * (n + m) + n // 8 + 2000) * len(setup.ratios)
    n_classes, total = len(setup.classes), 0
    for ratio in setup.ratios:
        total += n * _ROW_BYTES + n // 8 + 2 * n_classes * int((1 - ratio) * n)
        total += m * (5 + 2 * n_classes)
        total += 4 * n * n_classes if "logits" in setup.keep else 0
    return total + 2000 * len(setup.ratios)
