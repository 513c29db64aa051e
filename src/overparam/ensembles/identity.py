"""What an ensemble is of, as digests: whatever decides what its members say, and nothing else.

Code is not among them, as it is not in any record's key: a study knows it by its files (see
`lab.code`), and an edit is refused unless it is accepted.
"""

from __future__ import annotations

import hashlib
import pickle
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from overparam.data.dataset import digest_of
from overparam.ensembles.learners import Named
from overparam.lab.held_values import code_in
from overparam.models.own_modules import source_files
from overparam.training.describe import Undescribable, describe, describe_settings

_SHOWN = 12  # hex digits of a digest


def digest(thing: Any) -> str:
    """Return hex digits that are equal for things that compute the same, in every process.

    What cannot be followed, such as the state of a generator, is told by its pickle, and what has
    none by its text, addresses left out.

    >>> digest({"depth": 3}) == digest({"depth": 3}), digest({"depth": 3}) == digest({"depth": 4})
    (True, False)
    """
    try:
        told = repr(describe(thing)).encode()
    except Undescribable:
        told = _pickled(thing)
    return hashlib.sha256(told).hexdigest()[:_SHOWN]


def _pickled(thing: Any) -> bytes:
    try:
        return pickle.dumps(thing, protocol=4)
    except Exception:  # of an object that does not mean to be pickled
        return re.sub(r"0x[0-9a-f]+", "", repr(thing)).encode()


def digest_of_rows(values: Any, n_rows: int) -> str:
    """Return hex digits of one value for each row, such as groups; of None a word."""
    if values is None:
        return "none"
    return digest([repr(v.item() if hasattr(v, "item") else v) for v in list(values)[:n_rows]])


def digest_of_network(model: Any, made: nn.Module) -> str:
    """Return hex digits of a network: its structure and, where all members share them, weights.

    Of what a function makes the weights are drawn for each member, so the function itself is in
    their place.

    Args:
        model: as it was given. made: what is trained: the model, or what it makes.
    """
    parts: list[Any] = [repr(describe_settings(made) or made)]
    tensors = [*made.named_parameters(), *made.named_buffers()]
    parts += [(name, tuple(t.shape), str(t.dtype), t.requires_grad) for name, t in tensors]
    if made is model:
        parts.append(digest_of(*(t for _, t in tensors if not t.is_meta)))
    else:
        parts.append(digest(model))
    return digest([repr(part) for part in parts])


def digest_of_estimator(estimator: Any, arguments: Mapping[str, Any] | None) -> str:
    """Return hex digits of an estimator's parameters, or of a function, and of fit arguments."""
    kind = type(estimator)
    about: Any = estimator
    if hasattr(estimator, "get_params"):
        about = [f"{kind.__module__}.{kind.__qualname__}", _each(estimator.get_params(deep=False))]
    return digest([digest(about), _each(arguments or {})])


def _each(named: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return name and digest, of a column of a table by its values."""
    return [
        (name, digest(value.to_numpy() if hasattr(value, "to_numpy") else value))
        for name, value in sorted(named.items())
    ]


def files_of(things: Iterable[Any], reached: Mapping[str, Path]) -> dict[str, Sequence[Path]]:
    """Return the user's files that functions, classes and objects are made of, by names.

    Args:
        reached: modules that they reach, and are of, with their files.
    """
    named = {t.target: t.files for t in things if isinstance(t, Named) and t.files}
    return {**named, **{name: source_files(path) for name, path in reached.items()}}


def code_of(*things: Any) -> dict[str, Any]:
    """Return the functions and classes by which things compute, with all that is within them.

    Of several of one name, such as lambdas, each has its number.
    """
    named: dict[str, dict[int, Any]] = defaultdict(dict)
    for part in code_in(things):
        named[f"{part.__qualname__} of {part.__module__}"][id(part)] = part
    return {
        f"{name} ({number})" if number else name: part
        for name, parts in named.items()
        for number, part in enumerate(parts.values())
    }
