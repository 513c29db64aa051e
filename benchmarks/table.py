"""Print the table of results from the last run of each script, as Markdown.

python benchmarks/table.py
"""

from __future__ import annotations

import json
from typing import Any

from measuring import RESULTS


def main() -> None:
    print("| work | ratio or figure | quality | share of peak | load | date |")
    print("|---|---|---|---|---|---|")
    for name, row in ROWS.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            found = json.loads(path.read_text())
            for cells in row(found):
                print("|", " | ".join([*cells, f"{found['load_average']}", found["date"]]), "|")


def mlp_widths(r: dict[str, Any]) -> list[list[str]]:
    quality = r["mean_train_and_test_error"]
    return [
        [f"{len(r['widths'])} MLP widths x {r['seeds']} seeds, against {peer}", f"{ratio:.1f}x",
         f"test error {quality['ours'][1]:.3f}, plain {quality[r['best_plain']][1]:.3f}",
         share(r["share_of_peak"])]
        for peer, ratio in r["ratios"].items()
    ]  # fmt: skip


def mnist_ensemble(r: dict[str, Any]) -> list[list[str]]:
    accuracy = r["test_accuracy"]
    return [
        [f"784-512-256-10 on {r['data']}, {r['models']} models", f"{r['ratio_of_all_epochs']:.1f}x",
         f"accuracy {accuracy['ours']:.4f}, plain {accuracy[r['best_plain']]:.4f}",
         share(r["share_of_peak"])]
    ]  # fmt: skip


def cnn(r: dict[str, Any]) -> list[list[str]]:
    return [
        [f"5-layer CNN, k = {k}, on {r['data']}", f"{w['ratio']:.1f}x",
         f"test error {w['test_error']['ours']:.3f}, plain "
         f"{w['test_error'][w['best_plain']]:.3f}", share(w["share_of_peak"])]
        for k, w in r["by_width"].items()
    ]  # fmt: skip


def lab_overhead(r: dict[str, Any]) -> list[list[str]]:
    return [
        ["lab, per cell", f"{r['milliseconds_per_cell']:.2f} ms", "", ""],
        ["store", f"{r['records_written_per_second']:.0f} records/s", "", ""],
    ]


def planning(r: dict[str, Any]) -> list[list[str]]:
    return [
        [f"planned against taken: {name}",
         f"seconds {d['seconds_ratio']:.2f}, memory {d['memory_ratio']:.2f}", "", ""]
        for name, d in r["designs"].items()
    ]  # fmt: skip


def ensemble_forests(r: dict[str, Any]) -> list[list[str]]:
    accuracy = r["accuracy"]
    quality = f"accuracy out of sample {accuracy['ours']:.3f}, joblib {accuracy['joblib']:.3f}"
    return [
        [
            f"{r['models']} forests, against joblib from the start",
            f"{r['ratio']:.2f}x",
            quality,
            "",
        ],
        ["against joblib with workers started", f"{r['ratio_to_started']:.2f}x", "", ""],
    ]


def ensemble_networks(r: dict[str, Any]) -> list[list[str]]:
    return [
        [f"{r['models']} models on {r['rows']:,} rows of {r['data']}, with scores",
         f"{r['seconds_per_model']:.2f} s a model, {r['seconds'] / 60:.1f} min; plain loop "
         f"{r['ratio']:.1f} times as long",
         f"accuracy out of sample {r['accuracy']:.3f}, plain {r['plain_accuracy']:.3f}", ""]
    ]  # fmt: skip


def ensemble_memory(r: dict[str, Any]) -> list[list[str]]:
    return [
        [f"memory of workers, {name}", f"planned / taken {d['ratio']:.2f}", "", ""]
        for name, d in r["designs"].items()
    ]


def ensemble_influence(r: dict[str, Any]) -> list[list[str]]:
    return [
        [f"influence of 60,000 x 10,000, {r['models']} models",
         f"{r['peak_bytes'] / 2**30:.2f} GiB, {r['seconds']:.0f} s",
         f"{r['recall']:.3f} of planted pairs", ""]
    ]  # fmt: skip


def share(shares: dict[str, float]) -> str:
    """Return the share of the fastest dtype's peak, which is the smallest of the shares."""
    dtype = min(shares, key=lambda k: shares[k])
    return f"{shares[dtype]:.0%} of {dtype}"


ROWS = {
    "mlp_widths": mlp_widths, "mnist_ensemble": mnist_ensemble, "cnn": cnn,
    "lab_overhead": lab_overhead, "planning": planning, "ensemble_forests": ensemble_forests,
    "ensemble_networks": ensemble_networks, "ensemble_mnist": ensemble_networks,
    "ensemble_memory": ensemble_memory, "ensemble_influence": ensemble_influence,
}  # fmt: skip


if __name__ == "__main__":
    main()
