"""Families of models indexed by capacity, simple linear fits, and the census of any model.

A family function returns a plain `nn.Module` on PyTorch's ``meta`` device: a shape without
weights, which costs nothing and draws no random number. The training engine gives it weights
from the stream ``init``, so the same family call serves every seed.

Names are loaded when first used. The function `census` lives in the module of the same name:
``from overparam.models.census import census``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overparam.models.autoencoders import (
        convolutional_autoencoder,
        dense_autoencoder,
        downsampling_autoencoder,
    )
    from overparam.models.census import Census
    from overparam.models.census_layers import LayerCount
    from overparam.models.convolutional import convnet5, preact_resnet18, same_convnet
    from overparam.models.dense import (
        lenet_300_100,
        linear_model,
        mlp,
        mlp_n_params,
        mlp_width_for,
    )
    from overparam.models.expressivity import ReluInterpolant, interpolate_exactly
    from overparam.models.features import RandomFourierFeatures, RandomReluFeatures
    from overparam.models.fingerprints import (
        AverageHash,
        InvariantFingerprint,
        cyclic_shifts,
        exact_fingerprint,
        mirrored,
    )
    from overparam.models.hashing import (
        FingerprintTable,
        FittedNeighbors,
        FittedTable,
        ProjectedNeighbors,
    )
    from overparam.models.linear import LinearFit, MinimumNormRegression, RidgeRegression
    from overparam.models.picture import network_picture
    from overparam.models.zhang2017 import alexnet_small, mlp_1x512, mlp_3x512, small_inception

_HOME = {
    "AverageHash": "fingerprints",
    "FingerprintTable": "hashing",
    "FittedNeighbors": "hashing",
    "FittedTable": "hashing",
    "InvariantFingerprint": "fingerprints",
    "ProjectedNeighbors": "hashing",
    "cyclic_shifts": "fingerprints",
    "exact_fingerprint": "fingerprints",
    "mirrored": "fingerprints",
    "convolutional_autoencoder": "autoencoders",
    "dense_autoencoder": "autoencoders",
    "downsampling_autoencoder": "autoencoders",
    "Census": "census",
    "LayerCount": "census_layers",
    "LinearFit": "linear",
    "MinimumNormRegression": "linear",
    "RandomFourierFeatures": "features",
    "RandomReluFeatures": "features",
    "ReluInterpolant": "expressivity",
    "RidgeRegression": "linear",
    "alexnet_small": "zhang2017",
    "convnet5": "convolutional",
    "same_convnet": "convolutional",
    "interpolate_exactly": "expressivity",
    "lenet_300_100": "dense",
    "linear_model": "dense",
    "mlp": "dense",
    "mlp_1x512": "zhang2017",
    "mlp_3x512": "zhang2017",
    "mlp_n_params": "dense",
    "mlp_width_for": "dense",
    "network_picture": "picture",
    "preact_resnet18": "convolutional",
    "small_inception": "zhang2017",
}

__all__ = [
    "AverageHash",
    "Census",
    "FingerprintTable",
    "FittedNeighbors",
    "FittedTable",
    "InvariantFingerprint",
    "LayerCount",
    "LinearFit",
    "MinimumNormRegression",
    "ProjectedNeighbors",
    "RandomFourierFeatures",
    "RandomReluFeatures",
    "ReluInterpolant",
    "RidgeRegression",
    "alexnet_small",
    "convnet5",
    "convolutional_autoencoder",
    "cyclic_shifts",
    "dense_autoencoder",
    "downsampling_autoencoder",
    "exact_fingerprint",
    "interpolate_exactly",
    "lenet_300_100",
    "linear_model",
    "mirrored",
    "mlp",
    "mlp_1x512",
    "mlp_3x512",
    "mlp_n_params",
    "mlp_width_for",
    "network_picture",
    "preact_resnet18",
    "same_convnet",
    "small_inception",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
