"""A small network with an attribute that counts, and the points it is trained on."""

from __future__ import annotations

import torch
from torch import nn

from overparam.data.dataset import make_dataset
from overparam.training.recipe import Recipe

RECIPE = Recipe(epochs=2, learning_rate=0.1, batch_size=10, precision="float64")


ROWS = torch.randn(26, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


DATA = make_dataset(ROWS, torch.arange(26) % 3, name="points")


class Layered(nn.Module):
    """A layer, scaled by a number."""

    def __init__(self, scale: float = 2.0) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(6, 3), scale

    def forward(self, inputs):
        return self.layer(inputs) * self.scale


class Slotted(nn.Module):
    __slots__ = ("__hidden", "scale")

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scale, self.__hidden = nn.Linear(6, 3), 2.0, 0.5

    def forward(self, inputs):
        return self.layer(inputs) * self.scale + self.__hidden
