"""`one_thread`, `torch_threads`: how many threads compute, and over how many models are spread.

Sums that several threads share are taken in another order for another number of threads, and
then in other numbers. So whatever is trained or solved is computed by one thread, and cores are
used by whole cells or whole models.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

_lock = threading.Lock()
_inside = 0  # threads of this process that are within `torch_threads`
_before = 1  # what the first of them found, and each of them puts back
_own = threading.local()  # `spread`: what this thread found; missing outside


@contextlib.contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let PyTorch, where it has been imported, use `threads` threads inside the block."""
    global _inside, _before
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    outer = getattr(_own, "spread", None)
    with _lock:
        # Asking also sets PyTorch up in this thread, which later would undo what is set here.
        found = torch.get_num_threads()
        if outer is None and _inside:
            found = _before  # a thread that starts while others are inside inherits their number
        if outer is None:
            _before, _inside = found, _inside + 1
        torch.set_num_threads(threads)
    _own.spread = found
    try:
        yield
    finally:
        _own.spread = outer
        with _lock:
            _inside -= outer is None
            torch.set_num_threads(found)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch, and the linear algebra of NumPy and SciPy, use one thread inside the block."""
    with torch_threads(1), _LinearAlgebra.hold():
        yield


def spread() -> int:
    """Return over how many threads whole models may be spread: what PyTorch had outside.

    Within two such blocks it is what the outer one set, so that a trial within a run is alone.
    """
    import torch

    return getattr(_own, "spread", None) or torch.get_num_threads()


class _LinearAlgebra:
    """The libraries behind NumPy and SciPy, held at one thread while somebody needs it.

    Their number of threads is the whole process's, so the last one out puts it back.
    """

    holders = 0
    limits: Any = None

    @classmethod
    @contextlib.contextmanager
    def hold(cls) -> Iterator[None]:
        with _lock:
            if cls.holders == 0:
                cls.limits = _libraries("scipy.linalg" in sys.modules).limit(limits=1)
            cls.holders += 1
        try:
            yield
        finally:
            with _lock:
                cls.holders -= 1
                if cls.holders == 0:
                    cls.limits.restore_original_limits()


@cache
def _libraries(with_scipy: bool) -> Any:
    """Return the controller of the libraries loaded by now; looking for them takes a moment."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
