"""What `overparam plan` says beforehand against what a run then takes: seconds and memory.

python benchmarks/planning.py [--designs perceptrons wide_perceptrons convolutions]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import designs
from measuring import show
from overparam.lab.phenomenon import Phenomenon
from overparam.lab.plan import plan_study
from overparam.lab.runner import run_study
from overparam.training.choices import choices_file

DESIGNS = ("perceptrons", "wide_perceptrons", "convolutions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--designs", nargs="+", default=DESIGNS, choices=DESIGNS)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    found, texts = {}, []
    for name in args.designs:
        phenomenon = getattr(designs, name)()
        plans, runs = [], []
        for _ in range(args.rounds):
            plans.append(planned(phenomenon))
            runs.append(measured(phenomenon))
        planned_seconds, planned_bytes = map(statistics.median, zip(*plans, strict=True))
        seconds, peak, wall, cpu = map(statistics.median, zip(*runs, strict=True))
        found[name] = {
            "planned_core_seconds": planned_seconds, "core_seconds": seconds,
            "wall_seconds": wall, "cpu_seconds_with_start": cpu,
            "planned_peak_bytes": planned_bytes, "peak_bytes": peak,
            "seconds_ratio": planned_seconds / seconds, "memory_ratio": planned_bytes / peak,
        }  # fmt: skip
        texts.append(
            f"{name}: {planned_seconds:.1f} s planned, {seconds:.1f} s taken "
            f"({planned_seconds / seconds:.2f}; {cpu:.1f} s of the processor with start); "
            f"{planned_bytes / 2**20:.0f} MiB planned, "
            f"{peak / 2**20:.0f} MiB taken ({planned_bytes / peak:.2f})"
        )
    show("planning", "\n".join(texts), designs=found)


def planned(phenomenon: Phenomenon) -> tuple[float, float]:
    """Return core seconds and peak bytes as planned."""
    plan = plan_study(phenomenon, choices_path=choices_file())
    return plan.core_seconds, plan.memory_bytes


def measured(phenomenon: Phenomenon) -> tuple[float, float, float, float]:
    """Return core seconds, the peak of all workers together, and seconds on the wall.

    Core seconds pass on the wall; on a machine that does other things they are longer than the
    last number, the processor's own, to which each worker's start adds two seconds or so.
    """
    with tempfile.TemporaryDirectory() as folder:
        start, before = time.perf_counter(), os.times()
        result = run_study(phenomenon, folder=Path(folder), choices_path=choices_file())
        wall, after = time.perf_counter() - start, os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    provenance = result.provenance
    # Each seed is one unit here, and each worker gets one: their peaks add.
    peaks = {r.seed: r.provenance["peak_memory_bytes"] for r in result.records}
    return provenance["seconds"], sum(peaks.values()), wall, cpu


if __name__ == "__main__":
    main()
