"""Subset ensembles: models trained on balanced random subsets of one data set.

From the same fits follow memorization and influence scores with intervals, predictions out of
sample, label errors, membership risk, a learning curve and the prediction of all. Models may be of
classes (`Ensemble`) or of one target for each row (`TargetEnsemble`). An ensemble is a
study of the lab: its cells are models (`member`), its units are written as they end, and it is
resumed, extended and refused as any other. What decides a member is in its key (`identity`); what
members say is read one kind at a time (`columns`); what it costs is said before (`planning`).

Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overparam.ensembles.create import plan_ensemble, subset_ensemble
    from overparam.ensembles.ensemble import Ensemble
    from overparam.ensembles.exposure import Exposure
    from overparam.ensembles.learners import NamedModel
    from overparam.ensembles.loading import load_ensemble
    from overparam.ensembles.of_predictions import ensemble_of_predictions
    from overparam.ensembles.planning import EnsemblePlan
    from overparam.ensembles.proxy_validation import (
        ProxyScore,
        ProxyValidation,
        validate_proxies,
    )
    from overparam.ensembles.target_ensemble import TargetEnsemble

_MODULE_OF = {
    "Ensemble": "ensemble",
    "EnsemblePlan": "planning",
    "Exposure": "exposure",
    "NamedModel": "learners",
    "ProxyScore": "proxy_validation",
    "ProxyValidation": "proxy_validation",
    "TargetEnsemble": "target_ensemble",
    "ensemble_of_predictions": "of_predictions",
    "load_ensemble": "loading",
    "plan_ensemble": "create",
    "subset_ensemble": "create",
    "validate_proxies": "proxy_validation",
}

__all__ = [
    "Ensemble",
    "EnsemblePlan",
    "Exposure",
    "NamedModel",
    "ProxyScore",
    "ProxyValidation",
    "TargetEnsemble",
    "ensemble_of_predictions",
    "load_ensemble",
    "plan_ensemble",
    "subset_ensemble",
    "validate_proxies",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
