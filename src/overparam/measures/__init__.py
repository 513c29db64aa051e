"""Measures: plain functions of tensors and arrays. Names are loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overparam.measures.attractors import (
        Iterated,
        Memorization,
        iterate_to_attractor,
        memorization_rate,
        recalled_examples,
        span_energy,
    )
    from overparam.measures.complexity import (
        EmcEstimate,
        across_threshold,
        effective_model_complexity,
        interpolation_threshold,
    )
    from overparam.measures.error import (
        RateEstimate,
        error_rate,
        estimate_error_rate,
        generalization_gap,
        squared_error,
        wilson_interval,
    )
    from overparam.measures.image_maps import MapScores, correlation, score_map
    from overparam.measures.layer_images import layer_activations, layer_images
    from overparam.measures.layer_reading import input_dependence, read_off, visible_shape
    from overparam.measures.leave_one_out import (
        LeaveOneOut,
        leave_one_out_kernel,
        leave_one_out_minimum_norm,
        leave_one_out_ridge,
    )
    from overparam.measures.left_out_smoothers import (
        LabelMemorization,
        leave_one_out_memorization,
        leave_one_out_neighbors,
        leave_one_out_smoother,
    )
    from overparam.measures.norms import frobenius_norm, spectral_norm, stable_rank, weight_norm
    from overparam.measures.rademacher import (
        MeanEstimate,
        estimate_rademacher_complexity,
        estimate_random_sign_fit,
    )
    from overparam.measures.smoothers import (
        effective_parameters,
        leaf_smoother,
        linear_smoother,
    )
    from overparam.measures.spectral_radius import jacobian_spectral_radius

_HOME = {
    "leave_one_out_smoother": "left_out_smoothers",
    "leave_one_out_neighbors": "left_out_smoothers",
    "leave_one_out_memorization": "left_out_smoothers",
    "LabelMemorization": "left_out_smoothers",
    "leave_one_out_ridge": "leave_one_out",
    "leave_one_out_minimum_norm": "leave_one_out",
    "leave_one_out_kernel": "leave_one_out",
    "LeaveOneOut": "leave_one_out",
    "Iterated": "attractors",
    "Memorization": "attractors",
    "iterate_to_attractor": "attractors",
    "jacobian_spectral_radius": "spectral_radius",
    "memorization_rate": "attractors",
    "recalled_examples": "attractors",
    "span_energy": "attractors",
    "EmcEstimate": "complexity",
    "MeanEstimate": "rademacher",
    "RateEstimate": "error",
    "across_threshold": "complexity",
    "effective_model_complexity": "complexity",
    "effective_parameters": "smoothers",
    "error_rate": "error",
    "estimate_error_rate": "error",
    "estimate_rademacher_complexity": "rademacher",
    "estimate_random_sign_fit": "rademacher",
    "frobenius_norm": "norms",
    "visible_shape": "layer_reading",
    "read_off": "layer_reading",
    "input_dependence": "layer_reading",
    "layer_images": "layer_images",
    "layer_activations": "layer_images",
    "score_map": "image_maps",
    "correlation": "image_maps",
    "MapScores": "image_maps",
    "generalization_gap": "error",
    "interpolation_threshold": "complexity",
    "leaf_smoother": "smoothers",
    "linear_smoother": "smoothers",
    "spectral_norm": "norms",
    "squared_error": "error",
    "stable_rank": "norms",
    "weight_norm": "norms",
    "wilson_interval": "error",
}

__all__ = [
    "EmcEstimate",
    "Iterated",
    "LabelMemorization",
    "LeaveOneOut",
    "MapScores",
    "MeanEstimate",
    "Memorization",
    "RateEstimate",
    "across_threshold",
    "correlation",
    "effective_model_complexity",
    "effective_parameters",
    "error_rate",
    "estimate_error_rate",
    "estimate_rademacher_complexity",
    "estimate_random_sign_fit",
    "frobenius_norm",
    "generalization_gap",
    "input_dependence",
    "interpolation_threshold",
    "iterate_to_attractor",
    "jacobian_spectral_radius",
    "layer_activations",
    "layer_images",
    "leaf_smoother",
    "leave_one_out_kernel",
    "leave_one_out_memorization",
    "leave_one_out_minimum_norm",
    "leave_one_out_neighbors",
    "leave_one_out_ridge",
    "leave_one_out_smoother",
    "linear_smoother",
    "memorization_rate",
    "read_off",
    "recalled_examples",
    "score_map",
    "span_energy",
    "spectral_norm",
    "squared_error",
    "stable_rank",
    "visible_shape",
    "weight_norm",
    "wilson_interval",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
