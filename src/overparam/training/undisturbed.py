"""`undisturbed`: run a module of somebody's without moving the global random generators."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from overparam.streams import own_generators, seed_generators


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Start the generators of PyTorch, NumPy and Python at 0; put them back as they were."""
    with own_generators():
        seed_generators(0)
        yield
