"""Modules of series and of tokens: recurrent, attending, embedding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tests.training.zoo.data import N_TOKENS
from tests.training.zoo.modules import K


class Recurrent(nn.Module):
    """A recurrent layer and a linear one on its last output."""

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.layer, self.leave = layer, nn.Linear(width, K)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.leave(self.layer(inputs)[0][:, -1])


class Cells(nn.Module):
    """A recurrent cell in a loop."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell, self.leave = cell, nn.Linear(6, K)

    def forward(self, inputs: Tensor) -> Tensor:
        state = None
        for step in inputs.unbind(1):
            state = self.cell(step, state)
        return self.leave(state[0] if isinstance(state, tuple) else state)


class Attention(nn.Module):
    """Self-attention with a mask or without."""

    def __init__(self, heads: int = 2, causal: bool = False, **options: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, heads, batch_first=True, **options)
        self.leave, self.causal = nn.Linear(4, K), causal

    def forward(self, inputs: Tensor) -> Tensor:
        n, on = inputs.shape[1], inputs.device
        mask = torch.ones(n, n, dtype=torch.bool, device=on).triu(1) if self.causal else None
        found, _ = self.attention(inputs, inputs, inputs, attn_mask=mask)
        return self.leave(found.mean(1))


class Encoder(nn.Module):
    """A Transformer's layers on series."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True, **options)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.leave = nn.Linear(4, K)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.leave(self.layers(inputs).mean(1))


class Text(nn.Module):
    """Token ids, embedded, averaged and classified; the head may be tied to the embedding."""

    def __init__(self, tied: bool = False, **options: Any) -> None:
        super().__init__()
        self.embedding, self.tied = nn.Embedding(N_TOKENS, 4, **options), tied
        self.leave = nn.Linear(N_TOKENS if tied else 4, K)
        if tied:
            self.decode = nn.Linear(4, N_TOKENS, bias=False)
            self.decode.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        units = torch.tanh(self.embedding(tokens)).mean(1)
        return self.leave(self.decode(units) if self.tied else units)


class Positions(nn.Module):
    """Token ids with positions in a buffer that is not persistent."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.embedding, self.leave = nn.Embedding(N_TOKENS, 4), nn.Linear(4, K)
        self.register_buffer("places", scale * torch.arange(20.0).view(5, 4), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.leave(torch.sin(self.embedding(tokens) + self.places).mean(1))
