"""`undisturbed`: run a module of somebody's without moving the global random generators."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch

from overparam.streams import own_generator


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Start the generators of PyTorch, NumPy and Python at 0; put them back as they were."""
    with own_generator():  # first, so that no other thread has them at 0 just now
        pythons = random.getstate()
        numpys = np.random.get_state()  # noqa: NPY002 (the module may draw from it)
        try:
            torch.default_generator.manual_seed(0)
            np.random.seed(0)  # noqa: NPY002
            random.seed(0)
            yield
        finally:
            random.setstate(pythons)
            np.random.set_state(numpys)  # noqa: NPY002
