"""Marks of a module: which of its tensors are one, which are frozen, which parts evaluate.

What the arguments of its layers do not tell, as plain values that can be written to a file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Marks:
    """See the module.

    Attributes:
        ties: [name, first] of each parameter or buffer that was met before under another name.
        frozen: names of parameters without gradients. evaluating: parts in evaluation mode.

    >>> net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)).eval()
    >>> net[1].weight = net[0].weight.requires_grad_(False)
    >>> marks = Marks.of(net)
    >>> marks.ties, marks.frozen, marks.evaluating
    ([['1.weight', '0.weight']], ['0.weight', '1.weight'], ['', '0', '1'])
    """

    ties: list[list[str]]
    frozen: list[str]
    evaluating: list[str]

    @classmethod
    def of(cls, module: nn.Module) -> Marks:
        """Return the marks of a module."""
        parameters = dict(module.named_parameters(remove_duplicate=False))
        buffers = dict(module.named_buffers(remove_duplicate=False))
        first: dict[int, str] = {}
        ties = [
            [name, first[id(tensor)]]
            for name, tensor in (*parameters.items(), *buffers.items())
            if first.setdefault(id(tensor), name) != name
        ]
        frozen = [name for name, tensor in parameters.items() if not tensor.requires_grad]
        parts = module.named_modules(remove_duplicate=False)
        return cls(ties, frozen, [name for name, part in parts if not part.training])

    def put(self, module: nn.Module) -> nn.Module:
        """Give these marks to a module of the same tensors and parts, and return it.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: it has others.
        """
        for name, first in self.ties:
            holder, leaf = _group(module, name)
            owner, of = _group(module, first)
            holder[leaf] = owner[of]
        for name in self.frozen:
            holder, leaf = _group(module, name)
            holder[leaf].requires_grad_(False)
        for name in self.evaluating:
            module.get_submodule(name).training = False
        return module

    def to_dict(self) -> dict[str, Any]:
        """Return them as plain values, for `Marks(**values)`."""
        return asdict(self)


def _group(module: nn.Module, name: str) -> tuple[dict[str, Any], str]:
    path, _, leaf = name.rpartition(".")
    part = module.get_submodule(path)
    group: dict[str, Any] = part._parameters if leaf in part._parameters else part._buffers
    return group, leaf
