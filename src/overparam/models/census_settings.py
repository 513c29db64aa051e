"""The settings of a model as text: of layers, their sizes and strides; of estimators, arguments."""

from __future__ import annotations

from typing import Any

from torch import nn

from overparam.models.estimator_attributes import settings_of
from overparam.models.targets import error_text
from overparam.models.trial import walk


def module_settings(module: nn.Module) -> dict[str, str]:
    """Return the settings of each layer that has no parts of its own, such as sizes and strides."""
    settings = {}
    for name, part in walk(module):
        if not part._modules:
            try:
                words = part.extra_repr()
            except Exception as error:  # the user's own
                words = f"its extra_repr failed: {error_text(error)}"
            if words:
                settings[name or "(root)"] = f"{type(part).__name__}({words})"
    return settings


def estimator_settings(estimator: Any) -> dict[str, str]:
    """Return the arguments of an estimator's constructor, those of its parts included."""
    try:
        found = estimator.get_params(deep=True)
    except Exception:  # a constructor or property of the user's
        found = settings_of(estimator)
    return {str(name): text_of(value) for name, value in found.items()}


def text_of(value: Any) -> str:
    """Return the text of any object, or why there is none."""
    try:
        return str(value)
    except Exception as error:  # the user's own
        return f"({type(value).__name__}, whose text cannot be made: {error_text(error)})"
