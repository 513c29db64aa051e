"""`Modes`: training and evaluation mode of a module, with the exceptions that its owner made."""

from __future__ import annotations

from torch import nn


class Modes:
    """Switches a module between the modes.

    A part that is in evaluation mode while the whole is in training mode stays so (a frozen
    normalization); where the whole was given in evaluation mode, all of it is trained. Modules
    that decide for themselves in `train` are asked.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._kept = [p for p in module.modules() if not p.training] if module.training else []

    def set(self, training: bool) -> None:
        """Bring the module into a mode."""
        self._module.train(training)
        for part in self._kept:
            part.training = False
