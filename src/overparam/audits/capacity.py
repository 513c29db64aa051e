"""The knob of a model's capacity, and the variants that turning it makes.

Of estimators whose knob is known it is turned without being named (`knobs`); of others the user
names it. Of a network the recipe's length and weight decay are known, and the widths of a plain
`nn.Sequential` of linear layers.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sklearn.base import clone
from torch import nn

from overparam.audits.knobs import KNOBS, LENGTHS, PENALTIES, SWAPS, changed
from overparam.audits.subject import Subject
from overparam.audits.variants import Direction, Variant
from overparam.audits.widths import with_widths
from overparam.errors import UsageError, suggest
from overparam.training.recipe import Recipe

_WEIGHT_DECAY = 1e-3  # where a recipe has none
_WRAPPED = ("estimator", "regressor")  # parameters under which a wrapper holds what it fits
_SEPARATOR = "__"


def variants_of(subject: Subject) -> tuple[Variant, ...]:
    """Return the same recipe, smaller, larger, shorter, longer or regularized.

    Raises:
        UsageError: a knob that the user named and the model does not have, or values that are none.
    """
    if subject.capacity:
        found = list(_named(subject, subject.capacity))
    elif subject.kind == "estimator":
        found = list(_of_estimator(subject))
    elif subject.kind == "network":
        found = [*_of_recipe(subject), *_of_widths(subject)]
    else:
        found = []
    return tuple(found)


def _of_estimator(subject: Subject) -> Iterator[Variant]:
    prefix, inner = _innermost(subject.model)
    kind, known = type(inner).__name__, inner.get_params(deep=False)
    for parameter, change, direction in KNOBS.get(kind, ()):
        value = changed(kind, known.get(parameter), change)
        if parameter in known and value is not None and value != known[parameter]:
            cost = value / known[parameter] if direction in ("shorter", "longer") else 1.0
            yield _with_parameter(subject, f"{prefix}{parameter}", value, direction, cost)
    if kind in SWAPS:
        name, other = SWAPS[kind]
        model = _with_last(subject.model, prefix, other())
        yield Variant(
            name, "regularized", "variants-penalty", model, None, subject.arguments, "penalty", name
        )


def _innermost(estimator: Any) -> tuple[str, Any]:
    """Return what a pipeline ends in, or a wrapper holds, with the prefix of its parameters."""
    steps = getattr(estimator, "steps", None)
    known = estimator.get_params(deep=False)
    held = [name for name in _WRAPPED if hasattr(known.get(name), "get_params")]
    if steps:
        name, inner = steps[-1]
    elif held and type(estimator).__name__ not in KNOBS:
        name, inner = held[0], known[held[0]]
    else:
        return "", estimator
    if not hasattr(inner, "get_params"):  # a pipeline that ends in "passthrough"
        return "", estimator
    prefix, inner = _innermost(inner)
    return f"{name}{_SEPARATOR}{prefix}", inner


def _with_last(estimator: Any, prefix: str, other: Any) -> Any:
    name = prefix.removesuffix(_SEPARATOR)
    return clone(estimator).set_params(**{name: other}) if name else other


def _with_parameter(
    subject: Subject, name: str, value: Any, direction: Direction, cost: float = 1.0
) -> Variant:
    model = clone(subject.model).set_params(**{name: value})
    shown = f"{name.rpartition(_SEPARATOR)[2]}={_told(value)}"
    return Variant(
        shown, direction, _folder(name, value), model, None, subject.arguments, name, value, cost
    )


def _of_recipe(subject: Subject) -> Iterator[Variant]:
    recipe = subject.recipe
    if not isinstance(recipe, Recipe):
        return
    length = "epochs" if recipe.epochs is not None else "steps"
    n = getattr(recipe, length)
    for value in (max(n // 4, 1), 2 * n):
        if value != n:
            yield _with_recipe(subject, length, value)
    yield _with_recipe(subject, "weight_decay", 10 * recipe.weight_decay or _WEIGHT_DECAY)


def _with_recipe(subject: Subject, field: str, value: Any) -> Variant:
    assert subject.recipe is not None  # asked of recipes alone
    recipe = dataclasses.replace(subject.recipe, **{field: value})
    present = getattr(subject.recipe, field)
    direction = _direction(field, present, value)
    return Variant(
        f"{field}={_told(value)}", direction, _folder(field, value), subject.model, recipe,
        None, field, value, value / present if field in LENGTHS and present else 1.0,
    )  # fmt: skip


def _of_widths(subject: Subject) -> Iterator[Variant]:
    """Yield a plain network with other widths, where it is one."""
    sizes: tuple[tuple[float, Direction], ...] = ((0.25, "smaller"), (2.0, "bigger"))
    for factor, direction in sizes:
        network = with_widths(subject.model, factor)
        if network is not None:
            yield Variant(
                f"{factor:g} x the width", direction, _folder("width", factor), network,
                subject.recipe, None, "width", factor, factor,
            )  # fmt: skip


def _named(subject: Subject, capacity: Mapping[str, Any]) -> Iterator[Variant]:
    """Yield a variant for each value of each knob that the user named."""
    for knob, values in capacity.items():
        for value in _checked_values(knob, values):
            if subject.kind == "estimator":
                present = _present(subject.model, knob)
                if value != present:
                    plain = knob.rpartition(_SEPARATOR)[2]
                    yield _with_parameter(subject, knob, value, _direction(plain, present, value))
            elif isinstance(subject.recipe, Recipe) and hasattr(subject.recipe, knob):
                if value != getattr(subject.recipe, knob):
                    yield _with_recipe(subject, knob, value)
            else:
                yield _with_argument(subject, knob, value)


def _with_argument(subject: Subject, knob: str, value: Any) -> Variant:
    """Return the variant of a function that takes the knob as an argument."""
    if not callable(subject.model) or isinstance(subject.model, nn.Module):
        raise UsageError(
            "a module that is made has no knob to turn",
            got=knob,
            allowed="fields of the recipe, such as epochs",
            remedy="give a function that makes the module, with this argument",
        )
    try:
        inspect.signature(subject.model).bind_partial(**{knob: value})
    except (TypeError, ValueError):
        raise UsageError(
            "the function has no such argument, and its knob cannot be turned",
            got=knob,
            remedy="give it an argument of this name",
        ) from None
    present = inspect.signature(subject.model).parameters.get(knob)
    return Variant(
        f"{knob}={_told(value)}",
        _direction(knob, None if present is None else present.default, value),
        _folder(knob, value),
        functools.partial(subject.model, **{knob: value}),
        subject.recipe,
        subject.arguments,
        knob,
        value,
    )


def _checked_values(knob: str, values: Any) -> Sequence[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Sequence) or not len(values):
        raise UsageError(
            f"the values of {knob!r} are no list",
            got=repr(values)[:80],
            allowed="one or more values, as in capacity={'max_depth': (3, 10)}",
        )
    return values


def _present(model: Any, name: str) -> Any:
    known = model.get_params()
    if name not in known:
        raise UsageError(
            "the estimator has no such parameter",
            got=name,
            allowed=", ".join(sorted(known)[:30]),
            remedy=suggest(name, list(known)),
        )
    return known[name]


def _direction(knob: str, present: Any, value: Any) -> Direction:
    """Return what a value does to capacity, as far as its name tells."""
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in (present, value)):
        return "another setting"
    if knob in LENGTHS:
        return "longer" if value > present else "shorter"
    if knob in PENALTIES:
        return "regularized" if value > present else "bigger"
    return "bigger" if value > present else "smaller"


def _told(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _folder(knob: str, value: Any) -> str:
    """Return where a variant's models are kept: letters that any disk takes."""
    text = f"variants-{knob}-{_told(value)}"
    return "".join(c if c.isalnum() or c in "-._" else "_" for c in text)[:100]
