"""Measuring side by side: ways of doing one work in turns, their medians, and the machine's peak.

Ways are run in turns, so that whatever else the machine does falls on all of them; the order
changes from round to round. What is reported is the median of the rounds and the ratio of medians.
"""

from __future__ import annotations

import datetime
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from overparam.lab.machine import describe_machine, describe_versions

RESULTS = Path(__file__).parent / "results"
_PEAK_SIZE = 1024  # side of the square matrices whose product is the machine's peak
_PEAK_REPEATS = 20


@dataclass(frozen=True)
class Timed:
    """Seconds of each round of one way, and what its last round returned."""

    seconds: tuple[float, ...]
    result: Any

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def alternate(
    ways: Mapping[str, Callable[[], Any]], rounds: int, warm_up: bool = True
) -> dict[str, Timed]:
    """Run each way once per round (and once before, untimed) and return its times."""
    if warm_up:
        for work in ways.values():
            work()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    results: dict[str, Any] = {}
    for number in range(rounds):
        names = list(ways) if number % 2 == 0 else list(reversed(ways))
        for name in names:
            start = time.perf_counter()
            results[name] = ways[name]()
            seconds[name].append(time.perf_counter() - start)
    return {name: Timed(tuple(seconds[name]), results[name]) for name in ways}


def with_threads(n_threads: int, work: Callable[[], Any]) -> Callable[[], Any]:
    """Return the work done with so many threads of PyTorch; the number is restored after it."""

    def threaded() -> Any:
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        try:
            return work()
        finally:
            torch.set_num_threads(before)

    return threaded


def peak_flops(dtype: torch.dtype, n_threads: int) -> float:
    """Return operations per second of the machine's own matrix products, the best of a few."""
    left, right = (torch.randn(_PEAK_SIZE, _PEAK_SIZE).to(dtype) for _ in range(2))

    def best() -> float:
        shortest = float("inf")
        for _ in range(_PEAK_REPEATS):
            start = time.perf_counter()
            left @ right
            shortest = min(shortest, time.perf_counter() - start)
        return 2 * _PEAK_SIZE**3 / shortest

    return with_threads(n_threads, best)()


def best_of(timed: Mapping[str, Timed], prefix: str) -> tuple[str, float]:
    """Return name and median of the fastest way whose name starts with `prefix`."""
    name = min((n for n in timed if n.startswith(prefix)), key=lambda n: timed[n].median)
    return name, timed[name].median


def show(name: str, human: str, **values: Any) -> None:
    """Print a line for people and one of JSON, and keep the latter in ``results/``."""
    versions = describe_versions()
    line = {
        "benchmark": name,
        "date": datetime.date.today().isoformat(),
        **values,
        "load_average": round(os.getloadavg()[0], 2),
        "machine": describe_machine(),
        "versions": {k: versions[k] for k in ("python", "torch", "numpy")},
    }
    print(human, flush=True)
    print(json.dumps(line), flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(line, indent=1) + "\n")
