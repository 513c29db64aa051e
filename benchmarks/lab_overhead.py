"""What the lab itself costs: seconds per cell that does nothing, and records kept per second.

python benchmarks/lab_overhead.py [--cells 3200] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from designs import Condition, Outcome, nothing
from measuring import show
from overparam.lab.phenomenon import Phenomenon
from overparam.lab.records import Record
from overparam.lab.runner import run_study
from overparam.lab.store import Store

UNIT = 32  # records of one transaction, as many as a unit of work has by default


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, default=3200)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    phenomenon, few = nothing(args.cells), nothing(2 * UNIT)
    per_cell, here, start_up, written, read = [], [], [], [], []
    for _ in range(args.rounds):
        # The small study has the same start: workers that import PyTorch, an empty store.
        start_up.append(seconds_of(few, workers=None))
        per_cell.append((seconds_of(phenomenon, workers=None) - start_up[-1]) / (args.cells - 64))
        here.append(seconds_of(phenomenon, workers=1, again=True) / args.cells)
        into, out = store_seconds(phenomenon, args.cells)
        written.append(args.cells / into)
        read.append(args.cells / out)
    medians = {
        "milliseconds_per_cell": 1e3 * statistics.median(per_cell),
        "milliseconds_per_cell_resumed": 1e3 * statistics.median(here),
        "start_up_seconds": statistics.median(start_up),
        "records_written_per_second": statistics.median(written),
        "records_read_per_second": statistics.median(read),
    }
    show(
        "lab_overhead",
        f"{args.cells} cells that do nothing: {medians['milliseconds_per_cell']:.3f} ms each "
        f"beyond a start of {medians['start_up_seconds']:.1f} s; store "
        f"{medians['records_written_per_second']:.0f} records/s written, "
        f"{medians['records_read_per_second']:.0f} read",
        cells=args.cells, **medians,
    )  # fmt: skip


def seconds_of(phenomenon: Phenomenon, workers: int | None, again: bool = False) -> float:
    """Return the seconds of a study in a new folder, or of a second call that finds it done."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run_study(phenomenon, seeds=[0], workers=workers, folder=Path(folder))
        if again:
            start = time.perf_counter()
            run_study(phenomenon, seeds=[0], workers=workers, folder=Path(folder))
        return time.perf_counter() - start


def store_seconds(phenomenon: Phenomenon, n: int) -> tuple[float, float]:
    """Return the seconds of writing n records in transactions of one unit, and of reading them."""
    records = [Record(Condition(i), 0, Outcome(i / n)) for i in range(n)]
    with tempfile.TemporaryDirectory() as folder, Store.open(folder, phenomenon) as store:
        start = time.perf_counter()
        for i in range(0, n, UNIT):
            store.write(records[i : i + UNIT], f"unit {i}")
        middle = time.perf_counter()
        found = store.read(phenomenon)
        end = time.perf_counter()
    if len(found) != n:
        raise RuntimeError(f"{len(found)} of {n} records came back")
    return middle - start, end - middle


if __name__ == "__main__":
    main()
