"""Measures of a trained autoencoder: the way of unseen images, and the linear one's closed form."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from overparam.measures import iterate_to_attractor, recalled_examples
from overparam.theory import span_projection

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


def closed_form_error(f: nn.Module, images: Tensor) -> float:
    """Return the largest difference of a linear map's weights from the projection on the images."""
    closed = span_projection(images.double().flatten(1).numpy())
    weights = next(f.parameters()).detach().double().numpy()
    return float(np.abs(weights - closed).max())
