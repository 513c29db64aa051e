"""`Variant`: another recipe, fitted to the same subsets: larger, smaller, longer, simpler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from overparam.training.recipe import Recipe

Direction = Literal[
    "smaller", "bigger", "shorter", "longer", "regularized", "another setting", "reference"
]


@dataclass(frozen=True, eq=False)
class Variant:
    """A recipe beside the one that is audited.

    Attributes:
        name: as in a sentence, such as "min_samples_leaf=5" or "nearest neighbours".
        direction: what it changes. folder: under which its models are kept.
        model, recipe, arguments: as of a `Subject`.
        knob: the parameter that was changed, and value: to what; "" and None of references.
        cost: of a fit, in fits of the recipe that is audited, as far as it is known.
    """

    name: str
    direction: Direction
    folder: str
    model: Any
    recipe: Recipe | None = None
    arguments: Mapping[str, Any] | None = None
    knob: str = ""
    value: Any = None
    cost: float = 1.0
