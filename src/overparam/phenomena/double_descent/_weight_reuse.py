"""Networks that start from a trained narrower one, as Belkin et al. 2019 (arXiv:1812.11118,
appendix C) start each network below the threshold."""

from __future__ import annotations

import torch
from torch import nn

from overparam.models import mlp
from overparam.streams import Streams


@torch.no_grad()
def grown(smaller: nn.Module | None, sizes: tuple[int, int, int], streams: Streams) -> nn.Module:
    """Return a network of width H that starts from the weights of a narrower one.

    Weights without a predecessor are drawn from N(0, 0.01); in the smallest network, which has
    none at all, weights are Glorot-uniform and biases 0.

    Args:
        smaller: the narrower network, trained. sizes: of input d, width H and classes K.
    """
    generator = streams.child("grown").torch(str(sizes[1]))
    model = mlp(*sizes).to_empty(device="cpu")
    for parameter in model.parameters():
        if smaller is not None:
            parameter.normal_(0, 0.1, generator=generator)
        elif parameter.ndim == 2:
            nn.init.xavier_uniform_(parameter, generator=generator)
        else:
            parameter.zero_()
    if smaller is not None:
        for new, old in zip(model.parameters(), smaller.parameters(), strict=True):
            new[tuple(slice(length) for length in old.shape)] = old
    return model
