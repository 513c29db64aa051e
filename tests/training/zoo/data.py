"""The data of the zoo: twenty rows of each kind, so that the last batch of eight is one of four."""

from __future__ import annotations

from functools import cache

import torch

from overparam.data.dataset import Dataset

N_CLASSES, N_ROWS = 3, 20
SHAPES = {
    "points": (6,), "images": (2, 6, 6), "series": (5, 4), "volumes": (1, 4, 4, 4), "tokens": (5,),
}  # fmt: skip
N_TOKENS = 11


@cache
def data(kind: str, seed: int = 0) -> Dataset:
    """Return rows of a kind with labels of three classes, in float64 or whole numbers."""
    generator = torch.Generator().manual_seed(seed)
    shape = (N_ROWS, *SHAPES[kind])
    if kind == "tokens":
        inputs = torch.randint(0, N_TOKENS, shape, generator=generator)
    else:
        inputs = torch.randn(shape, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, N_CLASSES, (N_ROWS,), generator=generator)
    return Dataset(inputs, torch.arange(N_ROWS), labels, N_CLASSES, kind)
