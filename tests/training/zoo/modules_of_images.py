"""Modules of images whose owner does something with their layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.training.zoo.modules import K, images


class Reads(nn.Module):
    """Owns a Sequential and does with it what the name says."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.leave = how, nn.Linear(4 * 36, K)
        self.body = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 1, 1)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        units, kept = inputs, []
        if self.how == "calls":
            units = self.body(inputs)
        elif self.how == "slices":
            units = self.body[2:](self.body[:2](inputs)) + self.body[:3](inputs)
        else:
            for layer in self.body:
                units = layer(units)
                kept.append(units)
            units = units if self.how == "loops" else units + kept[2]
        return self.leave(units.flatten(1))


class Viewed(nn.Module):
    """A convolution whose outputs are seen by `view`, which wants its own layout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.leave = nn.Conv2d(2, 4, 3), nn.Linear(64, K)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.leave(torch.relu(self.conv(inputs)).view(len(inputs), -1))


class Unpooled(nn.Module):
    """Pooling that returns places, and its inverse."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.pool, self.back = nn.MaxPool2d(side, return_indices=True), nn.MaxUnpool2d(side)
        self.conv, self.leave = nn.Conv2d(2, 3, 3, padding=1), nn.Linear(108, K)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.leave(self.back(*self.pool(self.conv(inputs))).flatten(1))


def with_dead_layer(p: float) -> nn.Module:
    """Dropout on maps, whose masks are drawn in the order of memory."""
    return images(nn.ReLU(), nn.Dropout(p))
