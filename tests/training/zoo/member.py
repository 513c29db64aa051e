"""A member of the zoo: a kind of module, with variants that differ from it in one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

Make = Callable[[], nn.Module]


@dataclass(frozen=True)
class Member:
    """One kind of module.

    Attributes:
        makes: functions that build it and its variants. kind: of data.
        side_by_side: whether copies of one of them really run in one stack.
    """

    name: str
    makes: tuple[Make, ...]
    kind: str
    side_by_side: bool


def of(kind: str, together: bool, **named: Make | tuple[Make, ...]) -> list[Member]:
    """Members of one kind of data, with what makes each, by name."""
    return [
        Member(
            name.replace("_", " "), makes if isinstance(makes, tuple) else (makes,), kind, together
        )
        for name, makes in named.items()
    ]


def sequential(*layers: nn.Module) -> nn.Module:
    """Layers one after the other."""
    return nn.Sequential(*layers)
