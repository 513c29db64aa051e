"""Measures: plain functions of tensors and arrays. Names are loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overparam.measures.attack_rates import (
        AdvantageEstimate,
        TprEstimate,
        estimate_advantage,
        estimate_tpr_at_fpr,
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
    from overparam.measures.image_maps import MapScores, correlation, score_map
    from overparam.measures.label_statistics import hinge_margin, stable_logit
    from overparam.measures.layer_images import layer_activations, layer_images
    from overparam.measures.layer_reading import input_dependence, read_off, visible_shape
    from overparam.measures.membership import (
        lira_scores,
        loss_scores,
        ratio_scores,
        sablayrolles_scores,
        watson_scores,
    )
    from overparam.measures.norms import frobenius_norm, spectral_norm, stable_rank, weight_norm
    from overparam.measures.rademacher import (
        MeanEstimate,
        estimate_rademacher_complexity,
        estimate_random_sign_fit,
    )
    from overparam.measures.reference_models import MembershipScores
    from overparam.measures.rmia import Population, rmia_scores
    from overparam.measures.roc import AucEstimate, Roc, estimate_auc, roc_curve
    from overparam.measures.row_vulnerability import RowVulnerability, estimate_row_vulnerability
    from overparam.measures.smoothers import (
        effective_parameters,
        leaf_smoother,
        linear_smoother,
    )
    from overparam.measures.spectral_radius import jacobian_spectral_radius

_HOME = {
    "AdvantageEstimate": "attack_rates",
    "TprEstimate": "attack_rates",
    "estimate_advantage": "attack_rates",
    "estimate_tpr_at_fpr": "attack_rates",
    "hinge_margin": "label_statistics",
    "stable_logit": "label_statistics",
    "MembershipScores": "reference_models",
    "lira_scores": "membership",
    "loss_scores": "membership",
    "ratio_scores": "membership",
    "sablayrolles_scores": "membership",
    "watson_scores": "membership",
    "Population": "rmia",
    "rmia_scores": "rmia",
    "AucEstimate": "roc",
    "Roc": "roc",
    "estimate_auc": "roc",
    "roc_curve": "roc",
    "RowVulnerability": "row_vulnerability",
    "estimate_row_vulnerability": "row_vulnerability",
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
    "AdvantageEstimate",
    "AucEstimate",
    "EmcEstimate",
    "Iterated",
    "MapScores",
    "MeanEstimate",
    "MembershipScores",
    "Memorization",
    "Population",
    "RateEstimate",
    "Roc",
    "RowVulnerability",
    "TprEstimate",
    "across_threshold",
    "correlation",
    "effective_model_complexity",
    "effective_parameters",
    "error_rate",
    "estimate_advantage",
    "estimate_auc",
    "estimate_error_rate",
    "estimate_rademacher_complexity",
    "estimate_random_sign_fit",
    "estimate_row_vulnerability",
    "estimate_tpr_at_fpr",
    "frobenius_norm",
    "generalization_gap",
    "hinge_margin",
    "input_dependence",
    "interpolation_threshold",
    "iterate_to_attractor",
    "jacobian_spectral_radius",
    "layer_activations",
    "layer_images",
    "leaf_smoother",
    "linear_smoother",
    "lira_scores",
    "loss_scores",
    "memorization_rate",
    "ratio_scores",
    "read_off",
    "recalled_examples",
    "rmia_scores",
    "roc_curve",
    "sablayrolles_scores",
    "score_map",
    "span_energy",
    "spectral_norm",
    "squared_error",
    "stable_logit",
    "stable_rank",
    "visible_shape",
    "watson_scores",
    "weight_norm",
    "wilson_interval",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
