"""Named, independent random streams of one seed.

A stream depends on the seed and its name alone, never on the condition: cells of one seed are
paired (common random numbers), and adding a stream shifts none. All randomness of the package
comes from here; the global generators of Python, NumPy and PyTorch are left as they were.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from overparam.checks import check_count
from overparam.errors import UsageError

if TYPE_CHECKING:  # PyTorch takes a second to import; what only names streams need not wait
    import torch

_generator = threading.RLock()  # whoever holds it may change PyTorch's global generator


@dataclass(frozen=True)
class Streams:
    """The random streams of one seed.

    Attributes:
        seed: whole number >= 0.
        path: names of the parents, for streams within streams (see `child`).

    >>> Streams(7).numpy("init").integers(1000) == Streams(7).numpy("init").integers(1000)
    np.True_
    """

    seed: int
    path: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_count("seed", self.seed, low=0)

    def entropy(self, name: str) -> int:
        """Return the 63-bit number that starts stream `name`: SHA-256 of seed, path and name."""
        text = "/".join([str(self.seed), *self.path, name])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1

    def numpy(self, name: str) -> np.random.Generator:
        """Return a fresh NumPy generator (Philox) at the start of stream `name`."""
        return np.random.Generator(np.random.Philox(self.entropy(name)))

    def torch(self, name: str) -> torch.Generator:
        """Return a fresh CPU PyTorch generator at the start of stream `name`."""
        import torch

        return torch.Generator().manual_seed(self.entropy(name))

    def child(self, name: str) -> Streams:
        """Return streams of their own below this one, for instance one per ensemble member."""
        return Streams(self.seed, (*self.path, name))

    @contextlib.contextmanager
    def torch_default(self, name: str) -> Iterator[None]:
        """Let PyTorch's global CPU generator be stream `name` inside the block, then restore it.

        For code that takes no generator of its own, such as `nn.Module.reset_parameters`. See
        `own_generator` for what other threads may do meanwhile.
        """
        import torch

        with own_generator():
            torch.default_generator.manual_seed(self.entropy(name))
            yield


def check_streams(streams: object) -> Streams:
    """Return streams, or say how they are made of a seed.

    Raises:
        UsageError: something else, such as the seed itself.

    >>> check_streams(Streams(3)).seed
    3
    """
    if isinstance(streams, Streams):
        return streams
    raise UsageError(
        "random numbers come from streams",
        got=streams if isinstance(streams, int) else type(streams).__name__,
        allowed="Streams(seed)",
        remedy=f"write op.Streams({streams if isinstance(streams, int) else 0})",
    )


@contextlib.contextmanager
def own_generator() -> Iterator[None]:
    """Restore PyTorch's global CPU generator after the block, and have it alone inside.

    The process has one such generator, so a thread that needs it waits until the one that has it
    is done. Code that draws from it without asking here (another thread of the user's own, say)
    cannot be kept out.
    """
    import torch

    with _generator, torch.random.fork_rng(devices=[]):
        yield
