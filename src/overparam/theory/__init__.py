"""Closed forms from the literature: oracles in tests, overlays in figures. No torch.

Risk is always in squared units of the target. Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overparam.theory.associative_memory import (
        linear_autoencoder,
        one_layer_autoencoder,
        span_projection,
    )
    from overparam.theory.finite_sample import (
        FiniteSampleRisk,
        finite_sample_risk,
        minimum_norm_effective_parameters,
    )
    from overparam.theory.identity_map import (
        Moments,
        expected_error,
        image_patches,
        learned_map,
        off_span,
        patch_rank,
        principal_directions,
        remaining_error,
    )
    from overparam.theory.long_tail import expected_count, expected_frequency, zipf_frequencies
    from overparam.theory.membership import GaussianShift, PrivacyBound
    from overparam.theory.ridgeless import (
        Risk,
        correlated_risk,
        isotropic_minimum,
        isotropic_risk,
        misspecified_risk,
        optimal_ridge_penalty,
        optimal_ridge_risk,
        polynomial_captured_share,
        ridge_risk,
    )
    from overparam.theory.subsampled_gaussian import SubsampledGaussian, noise_multiplier_for

_HOME = {
    "linear_autoencoder": "associative_memory",
    "one_layer_autoencoder": "associative_memory",
    "span_projection": "associative_memory",
    "FiniteSampleRisk": "finite_sample",
    "Moments": "identity_map",
    "expected_error": "identity_map",
    "image_patches": "identity_map",
    "learned_map": "identity_map",
    "off_span": "identity_map",
    "patch_rank": "identity_map",
    "principal_directions": "identity_map",
    "remaining_error": "identity_map",
    "expected_count": "long_tail",
    "expected_frequency": "long_tail",
    "zipf_frequencies": "long_tail",
    "GaussianShift": "membership",
    "PrivacyBound": "membership",
    "Risk": "ridgeless",
    "correlated_risk": "ridgeless",
    "finite_sample_risk": "finite_sample",
    "isotropic_minimum": "ridgeless",
    "isotropic_risk": "ridgeless",
    "minimum_norm_effective_parameters": "finite_sample",
    "misspecified_risk": "ridgeless",
    "optimal_ridge_penalty": "ridgeless",
    "optimal_ridge_risk": "ridgeless",
    "polynomial_captured_share": "ridgeless",
    "ridge_risk": "ridgeless",
    "SubsampledGaussian": "subsampled_gaussian",
    "noise_multiplier_for": "subsampled_gaussian",
}

__all__ = [
    "FiniteSampleRisk",
    "GaussianShift",
    "Moments",
    "PrivacyBound",
    "Risk",
    "SubsampledGaussian",
    "correlated_risk",
    "expected_count",
    "expected_error",
    "expected_frequency",
    "finite_sample_risk",
    "image_patches",
    "isotropic_minimum",
    "isotropic_risk",
    "learned_map",
    "linear_autoencoder",
    "minimum_norm_effective_parameters",
    "misspecified_risk",
    "noise_multiplier_for",
    "off_span",
    "one_layer_autoencoder",
    "optimal_ridge_penalty",
    "optimal_ridge_risk",
    "patch_rank",
    "polynomial_captured_share",
    "principal_directions",
    "remaining_error",
    "ridge_risk",
    "span_projection",
    "zipf_frequencies",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
