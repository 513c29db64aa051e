"""Networks that are to fit labels: those of Zhang et al. 2017, and one that is too small."""

from __future__ import annotations

from torch import nn

from overparam.data import Dataset
from overparam.data.entries import entry_of
from overparam.models import (
    alexnet_small,
    mlp,
    mlp_1x512,
    mlp_3x512,
    mlp_n_params,
    mlp_width_for,
    small_inception,
)
from overparam.models.zhang2017 import CROP_SIZE

NETWORKS = {
    "mlp_1x512": mlp_1x512,
    "mlp_3x512": mlp_3x512,
    "alexnet_small": alexnet_small,
    "small_inception": small_inception,
}
TOO_SMALL, CONSTRUCTION = "too small", "2n+d construction"
MODELS = (*NETWORKS, TOO_SMALL, CONSTRUCTION)
SHARE_TOO_SMALL = 0.3  # parameters of the control over n_train x n_classes
ROUNDED = 1.35  # by which whole hidden units may exceed that share
DROPOUT_RATE = 0.5


def make_network(model: str, data: Dataset, n_train: int, *, dropout: bool) -> nn.Module:
    """Return one of `NETWORKS`, or the one too small, as a shape without weights.

    Args:
        n_train: examples, for which the small one is too small. dropout: before the last layer.
    """
    k = data.n_outputs
    if model == TOO_SMALL:
        n_params = round(SHARE_TOO_SMALL * n_train * k)
        return mlp(data.input_dim, mlp_width_for(n_params, data.input_dim, k), k)
    network = NETWORKS[model](k, data.input_shape[0])
    if dropout:
        return nn.Sequential(*list(network)[:-1], nn.Dropout(DROPOUT_RATE), network[-1])
    return network


def why_oversized(dataset: str, n_train: int) -> str:
    """Return why the control is not as small as it should be, or "".

    One hidden unit costs some hundred parameters, so of few images even that is not small.
    """
    entry = entry_of(dataset)
    crop = min(entry.input_shape[-1], CROP_SIZE)
    input_dim = entry.input_shape[0] * crop * crop
    wanted = SHARE_TOO_SMALL * n_train * entry.n_classes
    width = mlp_width_for(round(wanted), input_dim, entry.n_classes)
    n_params = mlp_n_params(input_dim, width, entry.n_classes)
    if n_params <= ROUNDED * wanted:
        return ""
    return f"the smallest network has {n_params:,} parameters, {wanted:,.0f} are asked for"
