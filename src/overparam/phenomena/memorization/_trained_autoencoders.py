"""Trained autoencoders: what became of their training images, and of images they never saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.data import Dataset
from overparam.lab.phenomenon import quantity
from overparam.measures import (
    iterate_to_attractor,
    memorization_rate,
    recalled_examples,
    span_energy,
)
from overparam.phenomena.memorization._autoencoder_networks import LINEAR
from overparam.phenomena.memorization._linear_autoencoder import closed_form_error
from overparam.training.fitted import Fitted

TRAINED = 1e-5  # squared error per pixel; of these images about 0.6 % of their norm
STILL = 1e-5  # change per application, in brightness from 0 to 1, at which iterating stops
N_SHOWN = 4  # unseen images whose way is kept
SHOWN_STEPS = (0, 1, 2, 5, 20, 200)


@dataclass(frozen=True)
class Outcome:
    """What became of the training images, and of images the network never saw."""

    n_params: int = quantity("parameters")
    n_steps: int = quantity("updates")
    train_loss: float = quantity("squared error per pixel")
    trained: bool = quantity("", "whether the loss counts as none")
    rate: float = quantity("fraction of the training images that are attractors")
    recalled: float = quantity("fraction of the unseen images that end at a training image")
    spectral_radius: float = quantity("", "geometric mean over the training images")
    largest_radius: float = quantity("", "of the training images")
    fixed_point_error: float = quantity("relative, median over the training images")
    span_energy: float = quantity("fraction of the outputs' energy in the training images' span")
    input_span_energy: float = quantity("the same of the unseen inputs themselves")
    closed_form_error: float = quantity("largest entry off the projection, of the linear one")
    path: np.ndarray = quantity("[shown, steps, side, side]", "iterates of unseen images")
    nearest: np.ndarray = quantity("[shown, side, side]", "training image nearest to the end")


def describe(c: Any, fitted: Fitted, train_set: Dataset, unseen: Tensor) -> Outcome:
    """Look at a trained autoencoder at its training images, and iterate it from unseen ones."""
    f = fitted.module()
    parameters = list(f.parameters())
    examples, starts = (x.to(parameters[0].dtype) for x in (train_set.inputs, unseen))
    stored = memorization_rate(f, examples[: c.n_judged])
    with torch.no_grad():
        once = f(starts)
    ended = iterate_to_attractor(f, starts, c.n_iterations, STILL)
    path, nearest = _way(f, starts[:N_SHOWN], examples)
    loss = fitted.train_loss / train_set.n_outputs
    return Outcome(
        n_params=sum(p.numel() for p in parameters),
        n_steps=fitted.n_steps,
        train_loss=loss,
        trained=loss <= TRAINED,
        rate=stored.rate,
        recalled=float((recalled_examples(ended.points, examples) >= 0).double().mean()),
        spectral_radius=float(stored.spectral_radius.log().mean().exp()),
        largest_radius=float(stored.spectral_radius.max()),
        fixed_point_error=float(stored.fixed_point_error.median()),
        span_energy=span_energy(once, examples),
        input_span_energy=span_energy(starts, examples),
        closed_form_error=(
            closed_form_error(f, train_set.inputs) if c.kind == LINEAR else float("nan")
        ),
        path=path,
        nearest=nearest,
    )


@torch.no_grad()
def _way(f: nn.Module, starts: Tensor, examples: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the iterates after `SHOWN_STEPS` applications, and the training image at the end."""
    path, done = [starts], 0
    for n_steps in SHOWN_STEPS[1:]:
        path.append(iterate_to_attractor(f, path[-1], n_steps - done, 0.0).points)
        done = n_steps
    # However far the end is from it, the nearest is what to compare it with.
    nearest = recalled_examples(torch.nan_to_num(path[-1]), examples, 1e30)
    return torch.stack(path, 1)[:, :, 0].float().numpy(), examples[nearest, 0].float().numpy()
