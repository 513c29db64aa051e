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
from typing import TYPE_CHECKING, Any

import numpy as np

from overparam.checks import check_count
from overparam.errors import UsageError

if TYPE_CHECKING:  # PyTorch takes a second to import; what only names streams need not wait
    import torch

_generators = threading.RLock()  # whoever holds it may change the global generators
_turns = threading.RLock()  # whoever holds it has a round of `Turns` under way


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
    with _generators:
        before = _states()
        try:
            yield
        finally:
            _put(before)


@contextlib.contextmanager
def generators_at(entropy: int) -> Iterator[None]:
    """Start the global generators at a number inside the block, then put them back.

    Unlike `own_generators` it waits for nobody: for a thread that has a turn, and may hold what
    others wait for, such as the lock of a module that is imported.
    """
    before = _states()
    seed_generators(entropy)
    try:
        yield
    finally:
        _put(before)


class Turns:
    """Global generators for many who draw in turns, to each its own, all started alike.

    Whoever has its next turn goes on where its last one ended, whatever was drawn meanwhile.

    Args:
        entropy: starts them; see `Streams.entropy`. None lets all draw from the process's.

    Unlike in `own_generators`, other threads wait only while turns change: whoever has a turn may
    itself start threads and wait for them. Rounds wait for rounds.
    """

    def __init__(self, entropy: int | None) -> None:
        self._entropy = entropy
        self._first: tuple | None = None
        self._kept: dict[int, tuple] = {}

    @contextlib.contextmanager
    def round(self) -> Iterator[None]:
        """Take turns inside the block; after it the generators are as they were."""
        if self._entropy is None:
            yield
            return
        with _turns:
            with _generators:
                before = _states()
                if self._first is None:
                    seed_generators(self._entropy)
                    self._first = _states()
            try:
                yield
            finally:
                with _generators:
                    _put(before)

    def begin(self, which: int) -> None:
        """Let the generators be those of one of the many. For use within a `round`."""
        if self._first is not None:
            with _generators:
                _put(self._kept.pop(which, self._first))

    def end(self, which: int) -> None:
        """Keep where its generators stand, for a next turn."""
        if self._first is not None:
            with _generators:
                self._kept[which] = _states()


def seed_generators(entropy: int) -> None:
    """Start the global generators at a number. For use within `own_generators`."""
    import torch

    torch.default_generator.manual_seed(entropy)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(entropy)
    np.random.seed(np.random.SeedSequence(entropy).generate_state(4))  # noqa: NPY002
    random.seed(entropy)


def is_global_generator(thing: Any) -> bool:
    """Whether it is one of those that are seeded here, and no generator of somebody's own.

    >>> is_global_generator(random.random.__self__), is_global_generator(random.Random(0))
    (True, False)
    """
    import torch

    holders = np.random.get_state, random.getstate  # methods of NumPy's and of Python's
    held = [getattr(method, "__self__", None) for method in holders]
    known = (torch.default_generator, *torch.cuda.default_generators, *held)
    return any(thing is one for one in known)


def _states() -> tuple[Any, ...]:
    """Return where the global generators stand; those of GPUs, where they are in use."""
    import torch

    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    numpys = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state(), gpus, numpys, random.getstate()


def _put(states: tuple[Any, ...]) -> None:
    import torch

    torchs, gpus, numpys, pythons = states
    torch.set_rng_state(torchs)
    if gpus is not None:
        torch.cuda.set_rng_state_all(gpus)
    np.random.set_state(numpys)  # noqa: NPY002
    random.setstate(pythons)
