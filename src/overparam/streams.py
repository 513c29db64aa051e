"""Named, independent random streams of one seed.

A stream depends on the seed and its name alone, never on the condition: cells of one seed are
paired (common random numbers), and adding a stream shifts none. All randomness of the package
comes from here; the global generators of Python, NumPy and PyTorch are left as they were.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from overparam.checks import check_count
from overparam.errors import UsageError

if TYPE_CHECKING:  # PyTorch takes a second to import; what only names streams need not wait
    import torch

_generators = threading.RLock()  # whoever holds it may change the global generators


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
    def global_generators(self, name: str) -> Iterator[None]:
        """Let the global generators of PyTorch, NumPy and Python be stream `name` inside the block,
        then restore them.

        For code that takes no generator of its own, such as `nn.Module.reset_parameters` or a
        module that drops layers by `random.random()`. See `own_generators` for what other threads
        may do meanwhile.
        """
        with own_generators():
            seed_generators(self.entropy(name))
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
def own_generators() -> Iterator[None]:
    """Restore the global generators after the block, and have them alone inside.

    PyTorch's (those of GPUs too, where they are in use), NumPy's and Python's. The process has one
    of each, so a thread that needs them waits until the one that has them is done. Code that draws
    from them without asking here (another thread of the user's own, say) cannot be kept out.
    """
    import torch

    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with _generators, torch.random.fork_rng(devices=gpus):
        pythons, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(pythons)
            np.random.set_state(numpys)  # noqa: NPY002


def seed_generators(entropy: int) -> None:
    """Start the global generators at a number. For use within `own_generators`."""
    import torch

    torch.default_generator.manual_seed(entropy)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(entropy)
    np.random.seed(np.random.SeedSequence(entropy).generate_state(4))  # noqa: NPY002
    random.seed(entropy)
