"""Trained autoencoders: their way with unseen images, and their records by arm, kind and depth.

Records are those of cells with the outcomes of `overparam.phenomena.memorization.autoencoders`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from overparam.lab.records import Records
from overparam.measures import iterate_to_attractor, recalled_examples

N_SHOWN = 4  # unseen images whose way is kept
SHOWN_STEPS = (0, 1, 2, 5, 20, 200)


@torch.no_grad()
def way(f: nn.Module, starts: Tensor, examples: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the iterates after `SHOWN_STEPS` applications, and the training image at the end."""
    path, done = [starts], 0
    for n_steps in SHOWN_STEPS[1:]:
        path.append(iterate_to_attractor(f, path[-1], n_steps - done, 0.0).points)
        done = n_steps
    # However far the end is from it, the nearest is what to compare it with.
    nearest = recalled_examples(torch.nan_to_num(path[-1]), examples, 1e30)
    return torch.stack(path, 1)[:, :, 0].float().numpy(), examples[nearest, 0].float().numpy()


def of_arm(records: Records, arm: str) -> Records:
    """Return the records of one arm."""
    return records.where(lambda r: r.condition.arm == arm)


def judged(records: Records, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return depths `[m]` and a field `[m, seeds]`, NaN where a network failed to train."""
    depths, values = records.matrix(name, by="depth")
    _, trained = records.matrix("trained", by="depth")
    return depths, np.where(trained == 1, values, np.nan)


def trained_kinds(records: Records) -> list[str]:
    """Return the kinds of which a network trained, in the order of the design."""
    kinds = dict.fromkeys(r.condition.kind for r in records)
    return [kind for kind in kinds if any(r.outcome.trained for r in records.where(kind=kind))]


def at_end(records: Records, kind: str, i: int) -> Records:
    """Return the trained networks of a kind at its smallest (0) or largest (-1) depth."""
    own = records.where(kind=kind)
    own = own.where(depth=own.levels("depth")[i])
    return own.where(lambda r: r.outcome.trained)
