"""What an estimator or a function of the user's raises, told with its name and what to do."""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Iterator

from overparam.errors import OverparamError, ResourceError, UsageError
from overparam.models.own_imports import is_installed
from overparam.models.targets import error_text
from overparam.stopping import is_stop

_REMEDIES = {  # by what libraries say
    r"read-only|destination is read|WRITEABLE": (
        "it writes to its inputs, which are shared and cannot be written to: let it copy them "
        "first (copy=True where it has that)"
    ),
    r"could not convert string|dtype='numeric' is not compatible|no numeric": (
        "it takes numbers only: put an encoder before it, as in make_pipeline(OneHotEncoder(), "
        "...), or a vectorizer for texts"
    ),
    r"only supported for dataframes|columns using strings|object has no attribute 'columns'": (
        "it names columns: give X as a DataFrame"
    ),
    r"Expected 2D array|Found array with dim": "give X as [n, columns]",
    r"contains NaN|missing values": "put an imputer before it, or drop these rows",
    r"one class|least 2 classes|number of classes": (
        "these rows hold a single class: give more rows, or draw them class by class"
    ),
    r"unexpected keyword argument|got multiple values": (
        "of a pipeline, arguments of a step are called STEP__ARGUMENT"
    ),
}


@contextlib.contextmanager
def naming(name: str, doing: str) -> Iterator[None]:
    """Turn what foreign code raises into an error that names it, its place and a remedy.

    Args:
        name: of the estimator or function. doing: what it was at, such as "to be fitted".

    Raises:
        ResourceError: memory ran out. UsageError: anything else was raised, but for the user's
            Ctrl-C and errors of this package.
    """
    try:
        yield
    except OverparamError:
        raise
    except MemoryError as error:
        raise ResourceError(
            f"{name} failed {doing}: memory ran out",
            got=error_text(error),
            remedy="use fewer rows or fewer workers",
        ) from error
    except BaseException as error:
        if is_stop(error):
            raise
        text = error_text(error)
        remedy = next((r for says, r in _REMEDIES.items() if re.search(says, text)), "")
        got = f"{text}{_place(error)}"
        raise UsageError(f"{name} failed {doing}", got=got, remedy=remedy) from error


def _place(error: BaseException) -> str:
    """Return where in code of the user's it was raised, if it was there."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        f for f in frames if not f.filename.startswith("<frozen") and not is_installed(f.filename)
    ]
    return f" ({own[-1].filename}:{own[-1].lineno} in {own[-1].name})" if own else ""
