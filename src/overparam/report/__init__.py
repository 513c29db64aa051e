"""Reports: figures as data become drawings, pages and files. Imports no PyTorch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overparam.report.audit import Audit
    from overparam.report.content import Content, describe
    from overparam.report.kept_audit import load_audit
    from overparam.report.study import Study

__all__ = ["Audit", "Content", "Study", "describe", "load_audit"]

_HOME = {
    "Audit": "audit",
    "Content": "content",
    "Study": "study",
    "describe": "content",
    "load_audit": "kept_audit",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
