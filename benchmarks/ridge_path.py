"""The closed-form path against a loop over scikit-learn's `Ridge`: seconds, and the same errors.

Random ReLU features of the embedded Fashion-MNIST images, 20 widths across n x 20 penalties x 3
label vectors. Both run on the same number of threads, in turns; medians are compared. With one
thread CPU seconds are counted, so that a busy machine does not blur the ratio. The loop is long,
so each of its rounds fits a rotating sample of penalties at every width and is scaled up
(`--sample 20` fits all). Prints one JSON line for the comparison and one for each growth series.

    python benchmarks/ridge_path.py [--n 1000] [--rounds 3] [--sample 2] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits
from torch import Tensor

from overparam.data import corrupt_labels_wrong, draw_subset, load_embedded
from overparam.measures import across_threshold
from overparam.models.features import RandomReluFeatures
from overparam.streams import Streams
from overparam.training.closed_form import RidgePath, solve_ridge_path

N_TEST = 1000
PENALTY_RANGE = (-2.0, 5.0)  # decades


@dataclass(frozen=True, eq=False)
class Work:
    """One problem: nested features, three label vectors, and the cells to solve."""

    train: Tensor
    targets: Tensor
    test: Tensor
    test_targets: Tensor
    widths: list[int]
    penalties: list[float]

    def solve(self) -> RidgePath:
        """Solve all cells with overparam."""
        return solve_ridge_path(self.train, self.targets, self.test, self.widths, self.penalties)

    def flops(self) -> float:
        """Operations of the method: growing Gram matrices, reductions, predictions."""
        n, m, k = len(self.train), len(self.test), self.targets.shape[1] * len(self.penalties)
        total, before = 0.0, 0
        for p in self.widths:
            q = min(n, p)
            total += n * (p - before) * q + 4 / 3 * q**3 + 2 * q * q * k + 2 * (n + m) * p * k
            before = p
        return total


def make_work(
    n: int, n_widths: int = 20, n_penalties: int = 20, spacing: str = "geometric"
) -> Work:
    """Draw the problem; labels say whether the class is below 5: clean, 10 % and 90 % wrong.

    Widths go to 4 n, geometric from n / 20 (as the phenomena place them) or uniform from n / 5.
    """
    streams = Streams(0)
    train, test = load_embedded("fashion_mnist_small")
    train = draw_subset(train, n, streams, balanced=True)
    n_above = n_widths // 3 + 1
    widths = across_threshold(n, n_widths - 1 - n_above, n_above, low_ratio=0.05, high_ratio=4)
    if spacing == "uniform":
        widths = [4 * n * (i + 1) // n_widths for i in range(n_widths)]
    features = RandomReluFeatures.draw(train.input_dim, widths[-1], streams)
    labels = [corrupt_labels_wrong(train, rate, streams).labels < 5 for rate in (0.0, 0.1, 0.9)]
    return Work(
        train=features(train.inputs),
        targets=torch.stack(labels, 1).double() * 2 - 1,
        test=features(test.inputs[:N_TEST]),
        test_targets=(test.labels[:N_TEST, None] < 5).double() * 2 - 1,
        widths=widths,
        penalties=[float(a) for a in np.logspace(*PENALTY_RANGE, n_penalties)],
    )


def loop_over_scikit_learn(
    work: Work, penalties_of: Callable[[int], Sequence[int]], together: bool
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (width index, penalty index, test predictions) of fits one by one.

    `together` fits the three label vectors in one call, the best the loop can do.
    """
    train, targets, test = work.train.numpy(), work.targets.numpy(), work.test.numpy()
    for i, p in enumerate(work.widths):
        for j in penalties_of(i):
            model = Ridge(alpha=work.penalties[j], fit_intercept=False)
            if together:
                yield i, j, model.fit(train[:, :p], targets).predict(test[:, :p])
                continue
            columns = [model.fit(train[:, :p], y).predict(test[:, :p]) for y in targets.T]
            yield i, j, np.stack(columns, 1)


def compare(work: Work, rounds: int, sample: int) -> dict[str, object]:
    """Time both in turns and compare their predictions and test errors."""
    n_penalties = len(work.penalties)
    ours, theirs, together = [], [], []
    work.solve()  # first calls load libraries
    difference = error_difference = 0.0
    truth = work.test_targets.numpy()
    for turn in range(rounds):
        start = clock()
        path = work.solve()
        ours.append(clock() - start)

        def chosen(i: int, turn: int = turn) -> list[int]:
            step = n_penalties // sample
            return [(turn + i + step * s) % n_penalties for s in range(sample)]

        for seconds, at_once in ((theirs, False), (together, True)):
            start = clock()
            fits = list(loop_over_scikit_learn(work, chosen, at_once))
            seconds.append((clock() - start) * n_penalties / sample)
        for i, j, predictions in fits:
            mine = path.test_predictions[i, j].numpy()
            difference = max(difference, float(np.abs(mine - predictions).max()))
            gap = ((mine - truth) ** 2).mean(0) - ((predictions - truth) ** 2).mean(0)
            error_difference = max(error_difference, float(np.abs(gap).max()))
    seconds = statistics.median(ours)
    peak = matmul_peak()
    return {
        "benchmark": "ridge_path",
        "n_train": len(work.train),
        "n_test": len(work.test),
        "widths": len(work.widths),
        "largest_width": work.widths[-1],
        "penalties": n_penalties,
        "label_vectors": work.targets.shape[1],
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "penalties_sampled_per_round": sample,
        "overparam_seconds": round(seconds, 3),
        "scikit_learn_seconds": round(statistics.median(theirs), 2),
        "ratio": round(statistics.median(theirs) / seconds, 1),
        "scikit_learn_labels_together_seconds": round(statistics.median(together), 2),
        "ratio_labels_together": round(statistics.median(together) / seconds, 1),
        "largest_prediction_difference": difference,
        "largest_mean_squared_error_difference": error_difference,
        "float64_matmul_peak_gflops": round(peak / 1e9, 1),
        "share_of_peak": round(work.flops() / seconds / peak, 3),
    }


def grow(name: str, values: Sequence[int], rounds: int) -> dict[str, object]:
    """Return the seconds of overparam as one size grows and the others stay."""
    seconds = []
    for value in values:
        sizes = {"n": 500, "n_widths": 20, "n_penalties": 20} | {name: value}
        work = make_work(**sizes)
        seconds.append(median_seconds(lambda work=work: work.solve(), rounds))
    exponents = np.diff(np.log(seconds)) / np.diff(np.log(values))
    return {
        "benchmark": "ridge_path_growth",
        "size": name,
        "values": list(values),
        "seconds": [round(s, 4) for s in seconds],
        "growth_exponents": [round(float(e), 2) for e in exponents],
    }


def matmul_peak(size: int = 1000) -> float:
    """Return float64 operations a second of a matrix product on this machine, now."""
    block = torch.arange(size * size, dtype=torch.float64).reshape(size, size).sin_()
    return 2 * size**3 / median_seconds(lambda: block @ block, 7)


def clock() -> float:
    """Return CPU seconds of this process with one thread, else seconds of the wall clock."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def median_seconds(work: Callable[[], object], rounds: int) -> float:
    """Return the median duration of `rounds` calls."""
    durations = []
    for _ in range(rounds):
        start = clock()
        work()
        durations.append(clock() - start)
    return statistics.median(durations)


def main() -> None:
    """Run the comparison and the growth series."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sample", type=int, default=2, help="penalties per width and round, 1-20")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with threadpool_limits(arguments.threads):
        for spacing in ("geometric", "uniform"):
            work = make_work(arguments.n, spacing=spacing)
            result = compare(work, arguments.rounds, arguments.sample)
            print(json.dumps(result | {"spacing_of_widths": spacing}), flush=True)
        for name, values in (
            ("n", (250, 500, 1000)),
            ("n_widths", (10, 20, 40)),
            ("n_penalties", (5, 20, 80)),
        ):
            print(json.dumps(grow(name, values, arguments.rounds)), flush=True)


if __name__ == "__main__":
    main()
