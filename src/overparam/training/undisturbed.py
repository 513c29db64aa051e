"""The global random generators while a module of somebody's is run: whether it moves them."""

from __future__ import annotations

import contextlib
import pickle
import random
from collections.abc import Hashable, Iterator

import numpy as np
import torch

from overparam.streams import own_generators, seed_generators


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Start the generators of PyTorch, NumPy and Python at 0; put them back as they were."""
    with own_generators():
        seed_generators(0)
        yield


def generator_states() -> Hashable:
    """Return where the generators of PyTorch, NumPy and Python stand."""
    numpys = pickle.dumps(np.random.get_state(legacy=False))  # noqa: NPY002
    return torch.get_rng_state().numpy().tobytes(), numpys, random.getstate()
