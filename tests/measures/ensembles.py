"""Made-up ensembles on random subsets, of which everything is known."""

import numpy as np
from scipy.special import ndtr

from overparam.data.subsets import draw_subsets
from overparam.streams import Streams


def draw_masks(rng, n_models, n_rows, ratio=0.7):
    return draw_subsets(n_models, n_rows, ratio, Streams(int(rng.integers(2**31))))


def normal_world(rng, n_models=20, n_rows=2000, ratio=0.7):
    """Return masks, margins, the true accuracies in and out, and a score that goes with them."""
    masks = draw_masks(rng, n_models, n_rows, ratio)
    hard = rng.standard_normal(n_rows)
    out = 2.0 - 1.5 * hard + 0.5 * rng.standard_normal(n_rows)
    inside = np.maximum(out, 0) + 2.0
    scale = np.exp(0.2 * rng.standard_normal(n_rows))
    noise = scale * rng.standard_normal((n_models, n_rows))
    margins = np.where(masks, inside, out) + noise
    score = np.exp(hard + 0.3 * rng.standard_normal(n_rows))
    return masks, margins, ndtr(inside / scale), ndtr(out / scale), score
