"""Memory of subset ensembles: workers' peaks, planned and taken; the influence matrix, streamed.

A peak is the kernel's high-water mark of a process (VmHWM), read while it runs; those of all
workers add, as in the plan. The influence matrix of 60,000 x 10,000 is computed in a process of its
own from masks and answers with planted pairs, which must be found.

    python benchmarks/ensemble_memory.py 1000    (the influence part, in this process)
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

import overparam as op
from ensemble_networks import PUBLISHED, SMALL, pooled
from measuring import show
from mnist_ensemble import images
from overparam.data import draw_subsets
from overparam.measures import influence_scores

N_TRAIN, N_TEST, N_PLANTED, RIGHT = 60_000, 10_000, 2_000, 0.9
_EVERY_SECONDS = 0.02


def memory(n_models: int) -> None:
    """Hold what plans say of the workers' memory against what they took."""
    train_set, _ = images()
    small, large = op.models.mlp(196, 64, 10), op.models.mlp(784, [512, 256], 10)
    designs: dict[str, tuple[Any, Any, dict[str, Any]]] = {
        "196-64-10 on 5,000 rows": (small, pooled(train_set), {"recipe": SMALL}),
        "784-512-256-10": (large, train_set, {"recipe": PUBLISHED}),
        "forests on digits": (RandomForestClassifier(50), op.load_data("digits")[0], {}),
    }
    found, texts = {}, []
    for name, (model, data, options) in designs.items():
        n = min(n_models, 8) if len(data) > 10_000 else n_models
        planned = op.plan_ensemble(model, data, n_models=n, **options).memory_bytes
        with tempfile.TemporaryDirectory() as folder, peaks_of_workers() as peaks:
            op.subset_ensemble(model, data, n_models=n, folder=folder, **options)
        taken = sum(peaks.values())
        found[name] = {"planned": planned, "taken": taken, "ratio": planned / taken, "models": n}
        texts.append(
            f"{name}: {planned / 2**20:.0f} MiB planned, {taken / 2**20:.0f} MiB taken by "
            f"{len(peaks)} workers ({planned / taken:.2f})"
        )
    show("ensemble_memory", "\n".join(texts), designs=found)


def influence(n_models: int) -> None:
    """Stream the influence matrix in a process of its own, and say what it took."""
    run = subprocess.run(
        [sys.executable, __file__, str(n_models)], check=True, capture_output=True, text=True
    )
    found = json.loads(run.stdout)
    show(
        "ensemble_influence",
        f"influence of {N_TRAIN:,} x {N_TEST:,} from {n_models} models: "
        f"{found['peak_bytes'] / 2**30:.2f} GiB at the peak, PyTorch included "
        f"({found['peak_bytes_before'] / 2**30:.2f} GiB before), {found['seconds']:.0f} s; "
        f"{found['recall']:.3f} of the planted pairs found, {found['n_above']:,} pairs above the "
        "threshold",
        **found,
    )


def planted_influence(n_models: int) -> dict[str, Any]:
    """Return what streaming took, and which planted pairs it found."""
    rng = np.random.default_rng(0)
    masks = draw_subsets(n_models, N_TRAIN, 0.7, op.Streams(0))
    correct = rng.random((n_models, N_TEST), np.float32) < RIGHT
    train = rng.permutation(N_TRAIN)[:N_PLANTED]
    test = rng.permutation(N_TEST)[:N_PLANTED]
    correct[:, test] &= masks[:, train]  # right only where the one row was seen
    before, start = peak_bytes("self"), time.perf_counter()
    pairs = influence_scores(masks, correct)
    seconds = time.perf_counter() - start
    found = set(zip(pairs.train.tolist(), pairs.test.tolist(), strict=True))
    planted = set(zip(train.tolist(), test.tolist(), strict=True))
    return {
        "models": n_models, "seconds": seconds, "peak_bytes": peak_bytes("self"),
        "peak_bytes_before": before, "recall": len(found & planted) / N_PLANTED,
        "n_above": pairs.n_above, "n_by_chance": pairs.n_by_chance, "n_rows": pairs.n_rows,
    }  # fmt: skip


@contextlib.contextmanager
def peaks_of_workers() -> Iterator[dict[int, int]]:
    """Give process number to peak bytes of each worker that is there inside the block."""
    peaks: dict[int, int] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_EVERY_SECONDS):
            for pid in workers():
                peaks[pid] = max(peaks.get(pid, 0), peak_bytes(pid))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peaks
    finally:
        ended.set()
        watching.join()


def workers() -> list[int]:
    """Return the numbers of this process's workers."""
    children = Path("/proc/self/task").glob("*/children")  # of each thread
    every = {int(pid) for path in children for pid in _text(path).split()}
    return [pid for pid in every if "overparam.lab.worker" in _text(f"/proc/{pid}/cmdline")]


def peak_bytes(pid: int | str) -> int:
    """Return a process's high-water mark of resident memory; 0 where it is gone."""
    lines = [x for x in _text(f"/proc/{pid}/status").splitlines() if x.startswith("VmHWM:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


def _text(path: Any) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text()
    return ""


if __name__ == "__main__":
    print(json.dumps(planted_influence(int(sys.argv[1]))))
