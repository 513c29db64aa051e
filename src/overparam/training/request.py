"""Requests: how a cell, written as a coroutine, shares its work with the cells beside it.

A cell says `await train(...)`; what it awaits is a `Request`, plain data. `drive` steps many
cells side by side, collects the requests they are waiting for, and hands all that agree in
`group_key` to `execute` at once. So an author writes one cell in plain sight, and the engine
sees a stack of models. The result does not depend on which cells happen to run elsewhere:
what is driven together is decided by the design alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Generator, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from overparam.errors import OverparamError, UsageError
from overparam.stopping import is_stop
from overparam.streams import Turns, own_generators
from overparam.threads import one_thread
from overparam.training.asked import advancing, check_inside_a_cell
from overparam.training.choices import Choices, machine_choices


@dataclass
class Context:
    """Where and within which limits requests are executed.

    Attributes:
        device: where tensors live while a request is executed.
        memory_bytes: bound on what one stack may allocate.
        choices: how each kind of stack is run; filled by measurement, and kept in the study so
            that a resumed run repeats it. By default those of this machine.
        progress: called with the number of floating-point operations that were just done.
        notes: texts about fallbacks, shown in the report.
        diverged: positions of the cells a model of which diverged; filled by `drive`.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    memory_bytes: int = 2 << 30
    choices: Choices = field(default_factory=machine_choices)
    progress: Callable[[float], None] = lambda amount: None
    notes: list[str] = field(default_factory=list)
    diverged: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.init()  # so that its generators are there to be seeded and restored


class Request:
    """Base of what a cell can await; subclasses are frozen dataclasses."""

    def __await__(self) -> Generator[Request, Any, Any]:
        check_inside_a_cell(type(self).__name__)
        return (yield self)

    def group_key(self) -> Hashable:
        """Requests of equal keys are executed together."""
        raise TypeError(f"{type(self).__name__} must define group_key")

    @staticmethod
    def execute(requests: Sequence[Any], context: Context) -> list[Any]:
        """Return one result per request; an exception in the list is raised in its cell alone."""
        raise TypeError("a Request must define execute")

    @staticmethod
    def estimate(requests: Sequence[Any], context: Context) -> tuple[list[Any], Cost]:
        """Return stand-in results of the right shapes, and what `execute` would cost."""
        raise TypeError("a Request must define estimate")


async def answer_to(request: Request) -> Any:
    """Wait for the answer to a request that is made already: what was asked of stays as it was."""
    return await request


@dataclass(frozen=True)
class Cost:
    """What executing requests would take; costs add.

    Attributes:
        n_models: models trained or solved. flops: floating-point operations.
        seconds: on this machine, one thread, from a short measurement.
        memory_bytes: the largest allocation at one time.
        pending_bytes: what of it the estimate has not allocated itself.
        may_end_sooner: whether a stop rule may end it before all that is counted was done.
    """

    n_models: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    memory_bytes: int = 0
    pending_bytes: int = 0
    may_end_sooner: bool = False

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.n_models + other.n_models,
            self.flops + other.flops,
            self.seconds + other.seconds,
            max(self.memory_bytes, other.memory_bytes),
            max(self.pending_bytes, other.pending_bytes),
            self.may_end_sooner or other.may_end_sooner,
        )


def drive(
    cells: Sequence[Coroutine[Any, Any, Any]], context: Context, draws: int | None = None
) -> list[Any]:
    """Run cells side by side; return their results, or the exception of a cell that failed.

    Cells that wait for requests of one group are served by one `execute`. Groups are served in
    the order in which their first cell stands, so the order of work is a function of the cells.

    Args:
        draws: starts the global generators of each cell, which it has to itself, whichever cells
            stand beside it; None lets cells draw from the process's.
    """
    try:
        return _driven(cells, context, Turns(draws))
    finally:  # of a stop: no cell is left waiting
        for cell in cells:
            with contextlib.suppress(Exception):
                cell.close()


def _driven(cells: Sequence[Coroutine], context: Context, turns: Turns) -> list[Any]:
    results: list[Any] = [None] * len(cells)
    waiting = _advance([(i, cell, None) for i, cell in enumerate(cells)], results, turns)
    while waiting:
        answered = []
        for group in _groups(waiting):
            requests = [request for _, _, request in group]
            try:
                with own_generators():  # a user's module may draw from it wherever it is called
                    answers = type(requests[0]).execute(requests, context)
            except BaseException as error:
                # An error belongs to the cells of this group; others go on.
                if is_stop(error):
                    raise
                answers = [error] * len(group)
            for (i, cell, _), answer in zip(group, answers, strict=True):
                answered.append((i, cell, answer))
                if getattr(answer, "status", None) == "diverged":
                    context.diverged.add(i)
        answered.sort(key=lambda item: item[0])
        waiting = _advance(answered, results, turns)
    return results


def drive_dry(cells: Sequence[Coroutine[Any, Any, Any]], context: Context) -> Cost:
    """Return what driving the cells would cost, answering requests with stand-ins.

    A cell whose own code cannot go on with stand-ins is counted as far as it came; what a run
    would stumble over too, such as data that are not there, is raised.
    """
    total = Cost()
    results: list[Any] = [None] * len(cells)
    turns = Turns(None)
    waiting = _advance([(i, cell, None) for i, cell in enumerate(cells)], results, turns)
    while waiting:
        answered = []
        for group in _groups(waiting):
            requests = [request for _, _, request in group]
            with own_generators():
                answers, cost = type(requests[0]).estimate(requests, context)
            total += cost
            answered += [(i, cell, a) for (i, cell, _), a in zip(group, answers, strict=True)]
        waiting = _advance(answered, results, turns)
    for result in results:
        if isinstance(result, OverparamError):
            raise result
    return total


def solve(cell: Coroutine[Any, Any, Any], context: Context | None = None) -> Any:
    """Run one cell (any coroutine that awaits requests) and return its result, or raise."""
    return solve_all([cell], context)[0]


def solve_all(cells: Sequence[Coroutine[Any, Any, Any]], context: Context | None = None) -> list:
    """Run cells side by side as one stack where they agree; raise the first error.

    What is computed is computed by one thread, as in the workers of a study, so that numbers do
    not depend on how many there are; models that are trained each by itself share the others.

    >>> async def cell(x):
    ...     return x + 1
    >>> solve_all([cell(1), cell(2)])
    [2, 3]
    """
    with one_thread():
        results = drive(cells, context or Context())
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def _groups(waiting: Sequence[tuple]) -> list[list[tuple]]:
    groups: dict[Hashable, list[tuple]] = {}
    for item in waiting:
        groups.setdefault((type(item[2]), item[2].group_key()), []).append(item)
    return list(groups.values())


def _advance(answered: Sequence[tuple], results: list[Any], turns: Turns) -> list[tuple]:
    """Step each cell with its answer; return those that wait again as (index, cell, request)."""
    waiting = []
    with turns.round():
        for i, cell, answer in answered:
            turns.begin(i)
            try:
                with advancing():
                    failed = isinstance(answer, BaseException)
                    request = cell.throw(answer) if failed else cell.send(answer)
                if not isinstance(request, Request):
                    cell.close()
                    raise UsageError(
                        "a cell awaits what the engine does not know",
                        got=type(request).__name__,
                        allowed="train, predict, fit_ridge and other requests",
                        remedy="call other functions without await",
                    )
            except StopIteration as end:
                results[i] = end.value
            except BaseException as error:  # also of code that calls sys.exit() or is cancelled
                if is_stop(error):
                    raise
                results[i] = error
            else:
                waiting.append((i, cell, request))
                turns.end(i)
    return waiting
