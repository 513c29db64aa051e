"""What `train`, `predict` and the solvers return: a coroutine that says so when it is not awaited.

They describe work that somebody has to run: the cell they stand in, or `solve`. Whoever takes one
for its result, drops it, or awaits it where nobody listens gets one line that says what to write.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import warnings
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any, NoReturn, ParamSpec, TypeVar

from overparam.errors import UsageError

P = ParamSpec("P")
T = TypeVar("T")

_here = threading.local()  # whether this thread is advancing cells


class NotRunError(UsageError, AttributeError):
    """A result was asked of what has not run."""


class Asked(Coroutine[Any, Any, T]):
    """An answer that is still to be computed.

    Args:
        coroutine: computes it. name: of the function that returned it.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T], name: str) -> None:
        self._coroutine, self._name = coroutine, name
        self._begun = self._told = False

    def __await__(self) -> Generator[Any, Any, T]:
        self._begun = True
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        """Advance it, as of any coroutine."""
        self._begun = True
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise an exception within it, as of any coroutine."""
        self._begun = True
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """End it, as of any coroutine."""
        self._begun = True
        self._coroutine.close()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        self._refuse(f".{name}")

    def __getitem__(self, index: object) -> NoReturn:
        self._refuse(f"[{index}]")

    def __array__(self, *_: object, **__: object) -> NoReturn:
        self._refuse("an array")

    def __repr__(self) -> str:
        text = _what_to_write(self._name)
        return f"<{text['what']}; {text['remedy']}>"

    def __del__(self) -> None:
        if self._begun:
            return
        self._coroutine.close()
        if not self._told:
            text = _what_to_write(self._name)
            warnings.warn(f"{text['what']}; {text['remedy']}", RuntimeWarning, stacklevel=2)

    def _refuse(self, got: str) -> NoReturn:
        self._told = True
        raise NotRunError(**_what_to_write(self._name), got=got)


def asked(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Asked[T]]:
    """Let a function that returns a coroutine return an `Asked`.

    A coroutine function does nothing before it is awaited; a plain one may copy and refuse what it
    is given when it is called.
    """

    @functools.wraps(function)
    def ask(*args: P.args, **kwargs: P.kwargs) -> Asked[T]:
        return Asked(function(*args, **kwargs), function.__name__)

    return ask


@contextlib.contextmanager
def advancing() -> Iterator[None]:
    """Say that cells are advanced inside the block, so that what they await is answered."""
    before = getattr(_here, "advances", False)
    _here.advances = True
    try:
        yield
    finally:
        _here.advances = before


def check_inside_a_cell(what: str) -> None:
    """Refuse to wait where nobody advances cells, such as an event loop or a notebook's cell.

    Raises:
        UsageError: it would wait forever, or fail without a word of why.
    """
    if not getattr(_here, "advances", False):
        raise UsageError(
            f"{what} is awaited outside a cell of a study, where nothing answers it",
            remedy="write op.fit(...), or op.solve(op.train(...)) without await: both work in a "
            "notebook and inside a running event loop",
        )


def _what_to_write(name: str) -> dict[str, Any]:
    now = {
        "train": "op.fit(...) trains at once",
        "fit_estimator": "op.fit(estimator, data) fits at once",
        "predict": "fitted.predict(inputs) answers at once",
    }.get(name, "solve runs it at once")
    return {
        "what": f"{name}(...) has not run yet",
        "remedy": f"{now}; op.solve({name}(...)) runs it, and a cell writes await {name}(...)",
    }
