"""overparam: a laboratory and an audit bench for overparameterized machine-learning models.

>>> import overparam as op
>>> op.phenomena.names()[0]
'double_descent/random_features'

Names are imported when they are first used, so that `import overparam` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "run": "api",
    "plan": "api",
    "load": "api",
    "audit": "api",
    "load_audit": "report.kept_audit",
    "run_chapter": "collection",
    "write_index": "collection",
    "find": "api",
    "Phenomenon": "lab.phenomenon",
    "Scale": "lab.phenomenon",
    "factor": "lab.phenomenon",
    "quantity": "lab.phenomenon",
    "Study": "report.study",
    "Audit": "report.audit",
    "Streams": "streams",
    "Dataset": "data.dataset",
    "make_dataset": "data.dataset",
    "load_data": "data",
    "Recipe": "training.recipe",
    "Schedule": "training.recipe",
    "Fitted": "training.fitted",
    "fit": "training.fit",
    "fit_estimator": "training.fit_estimator",
    "load_fitted": "training.saved",
    "train": "training.train",
    "predict": "training.fitted",
    "solve": "training.request",
    "solve_all": "training.request",
    "subset_ensemble": "ensembles.create",
    "plan_ensemble": "ensembles.create",
    "load_ensemble": "ensembles.loading",
    "validate_proxies": "ensembles.proxy_validation",
    "census": "models.census",
    "OverparamError": "errors",
}
_ELSEWHERE = {"load_data": "load"}

_FLOORS = (
    "audits",
    "data",
    "ensembles",
    "lab",
    "measures",
    "models",
    "phenomena",
    "report",
    "theory",
    "training",
)

__all__ = ["__version__", *_HOME, *_FLOORS]


def __getattr__(name: str) -> Any:
    if name in _FLOORS:
        return import_module(f"{__name__}.{name}")
    if name in _HOME:
        home = import_module(f"{__name__}.{_HOME[name]}")
        return getattr(home, _ELSEWHERE.get(name, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
