"""Measures: plain functions of tensors and arrays. Names are loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overparam.measures.agreement import (
        RankAgreement,
        Reliability,
        rank_agreement,
        split_half_reliability,
    )
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
    from overparam.measures.gradient_proxies import (
        el2n,
        last_layer_gradient_norm,
        last_layer_self_influence,
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
    from overparam.measures.module_proxies import (
        gradient_norm,
        input_curvature,
    )
    from overparam.measures.neighbor_probes import (
        prediction_depth,
    )
    from overparam.measures.norms import frobenius_norm, spectral_norm, stable_rank, weight_norm
    from overparam.measures.proxies import (
        Forgetting,
        area_under_margin,
        cumulative_loss,
        final_loss,
        forgetting_events,
        iteration_learned,
        loss_interquartile_range,
    )
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
    "Forgetting": "proxies",
    "LabelMemorization": "left_out_smoothers",
    "LeaveOneOut": "leave_one_out",
    "RankAgreement": "agreement",
    "Reliability": "agreement",
    "area_under_margin": "proxies",
    "cumulative_loss": "proxies",
    "el2n": "gradient_proxies",
    "final_loss": "proxies",
    "forgetting_events": "proxies",
    "gradient_norm": "module_proxies",
    "input_curvature": "module_proxies",
    "iteration_learned": "proxies",
    "last_layer_gradient_norm": "gradient_proxies",
    "last_layer_self_influence": "gradient_proxies",
    "leave_one_out_kernel": "leave_one_out",
    "leave_one_out_memorization": "left_out_smoothers",
    "leave_one_out_minimum_norm": "leave_one_out",
    "leave_one_out_neighbors": "left_out_smoothers",
    "leave_one_out_ridge": "leave_one_out",
    "leave_one_out_smoother": "left_out_smoothers",
    "loss_interquartile_range": "proxies",
    "prediction_depth": "neighbor_probes",
    "rank_agreement": "agreement",
    "split_half_reliability": "agreement",
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
    "Forgetting",
    "Iterated",
    "LabelMemorization",
    "LeaveOneOut",
    "MapScores",
    "MeanEstimate",
    "Memorization",
    "RankAgreement",
    "RateEstimate",
    "Reliability",
    "across_threshold",
    "area_under_margin",
    "correlation",
    "cumulative_loss",
    "effective_model_complexity",
    "effective_parameters",
    "el2n",
    "error_rate",
    "estimate_error_rate",
    "estimate_rademacher_complexity",
    "estimate_random_sign_fit",
    "final_loss",
    "forgetting_events",
    "frobenius_norm",
    "generalization_gap",
    "gradient_norm",
    "input_curvature",
    "input_dependence",
    "interpolation_threshold",
    "iterate_to_attractor",
    "iteration_learned",
    "jacobian_spectral_radius",
    "last_layer_gradient_norm",
    "last_layer_self_influence",
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
    "loss_interquartile_range",
    "memorization_rate",
    "prediction_depth",
    "rank_agreement",
    "read_off",
    "recalled_examples",
    "score_map",
    "span_energy",
    "spectral_norm",
    "split_half_reliability",
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
