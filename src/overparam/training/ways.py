"""Choosing how a stack runs by a short measurement, once per kind of stack and machine.

What is faster depends on the processor, the layer and the widths, so it is measured, not
believed. But records must not depend on a measurement's noise, so each choice is made once and
kept (see `choices.py`).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping

import torch

from overparam.streams import own_generators
from overparam.threads import torch_threads
from overparam.training.request import Context

_WORTH = 1.5  # bfloat16 must multiply this much faster than float32 before it is the default
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")


def key_of(*parts: object) -> str | None:
    """Return a short name for a kind of stack, the same in every process; None if there is none.

    The parts are told apart by their `repr`. One that holds an address is another in every
    process, so what was chosen under it could never be found again.
    """
    text = repr(parts)
    return None if _ADDRESS.search(text) else hashlib.sha256(text.encode()).hexdigest()[:16]


def choose(context: Context, key: str | None, ways: Mapping[str, Callable[[], object]]) -> str:
    """Return the name of the fastest way, measured once on a machine; later calls repeat it.

    Args:
        key: from `key_of`; None, of what has no stable name, takes the first way.
        ways: name to a function that does the same amount of work that way. A way that raises
            is out, with a note whenever the choice is taken; the first way must not raise.
    """

    notes: list[str] = []

    def fastest() -> str:
        seconds: dict[str, float] = {}
        for number, (name, work) in enumerate(ways.items()):
            try:
                seconds[name] = measure(work, context.device)
            except Exception as error:
                if number == 0:
                    raise
                notes.append(f"{name} is not possible here: {_first_line(error)}")
        return min(seconds, key=lambda name: seconds[name])

    choice = context.choices.decide(key, tuple(ways), fastest, notes)
    context.notes += [note for note in notes if note not in context.notes]
    return choice


def measure(work: Callable[[], object], device: torch.device, repeats: int = 2) -> float:
    """Return the shortest of a few timed calls in seconds, after one call to warm up.

    On the CPU it is the time this thread computed, which a busy machine lengthens less than the
    time on the wall; so all of it is computed by this thread. PyTorch's own random numbers, which
    dropout draws, are left as they were.
    """
    shortest = float("inf")
    with own_generators(), torch_threads(1):
        work()
        for _ in range(repeats):
            start = now(device)
            work()
            shortest = min(shortest, now(device) - start)
    return shortest


def now(device: torch.device) -> float:
    """Return the seconds computed so far: of this thread, or of a GPU when it has caught up."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.thread_time()


def resolve_precision(precision: str, context: Context) -> str:
    """Return the precision that ``auto`` means here: bfloat16 where its products are faster."""
    if precision != "auto":
        return precision
    size = 512
    left, right = (torch.ones(size, size, device=context.device) for _ in range(2))
    low_left, low_right = left.bfloat16(), right.bfloat16()

    def low() -> None:
        for _ in range(4):
            low_left @ low_right

    def full() -> None:
        for _ in range(int(4 / _WORTH)):
            left @ right

    # `full` does 1/_WORTH of the work, so bfloat16 wins only where it is that much faster.
    return choose(
        context, f"precision on {context.device.type}", {"float32": full, "bfloat16": low}
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
