"""What an audit finds of what was planted, and what it finds where nothing is wrong. No seconds.

Worlds of `audit_worlds.py`, each audited with every target that it suits. Of every code: in how
many of the audits where it was planted it was found; in how many of the clean ones it was found
with severity medium or more. Of faults that are rows: how many of them are named, and how many of
those named are so. Codes for which no check is there are left out, with a note.

    python benchmarks/audit.py [--seeds 3] [--budget 60] [--targets linear forest] [--worlds leak]

With `--add` audits that `results/` holds, and that are not run again, are counted too.
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import overparam as op
from audit_worlds import CLEAN, PLANTED, TARGETS, World, model_of
from measuring import RESULTS, show
from overparam.audits.check import found_checks
from overparam.audits.finding import SEVERITIES
from overparam.measures import wilson_interval

MEDIUM = SEVERITIES.index("medium")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--budget", type=float, default=60, help="seconds of each audit")
    parser.add_argument("--targets", nargs="+", default=TARGETS, choices=TARGETS)
    parser.add_argument("--worlds", nargs="+", default=[*PLANTED, *CLEAN])
    parser.add_argument("--stop-after", type=float, default=float("inf"), help="seconds in all")
    parser.add_argument("--add", action="store_true", help="to the results that are kept")
    args = parser.parse_args()
    begun, audits = time.monotonic(), kept() if args.add else []
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        for name, target, world in worlds(args.worlds, args.targets, seed):
            if time.monotonic() - begun < args.stop_after:
                said = audited(name, target, world, seed, args.budget)
                print(line(said), flush=True)
                audits = [*(a for a in audits if _key(a) != _key(said)), said]
    found = by_code(audits)
    show(
        "audit", table(found, audits), audits=audits, codes=found,
        clean=of_clean(audits),
    )  # fmt: skip


def kept() -> list[dict[str, Any]]:
    """Return the audits of earlier runs."""
    path = RESULTS / "audit.json"
    return json.loads(path.read_text())["audits"] if path.exists() else []


def worlds(names: list[str], targets: list[str], seed: int) -> Iterator[tuple[str, str, World]]:
    """Yield each world with each target, or with its own model alone."""
    for name in names:
        world = {**PLANTED, **CLEAN}[name](np.random.default_rng(seed))
        for target in ["its own"] if world.model is not None else targets:
            if not (target == "network" and np.isnan(world.X).any()):
                yield name, target, world


def audited(name: str, target: str, world: World, seed: int, budget: float) -> dict[str, Any]:
    """Return what an audit says of a world: a status and severity of each code."""
    model, options = (
        (world.model, world.options) if world.model is not None else model_of(target, world)
    )
    torch.manual_seed(seed)
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = op.audit(
            model, world.X, world.y, test=(world.X_test, world.y_test), budget=budget, seed=seed,
            workers=0, **options,
        )  # fmt: skip
    said = {code: f.severity if f.status == "found" else f.status
            for code, f in report.findings.items()}  # fmt: skip
    named = rows_named(report, world)
    return {
        "world": name, "target": target, "seed": seed, "wanted": list(world.wanted), "said": said,
        "budget": budget, "rows": named, "seconds": round(time.monotonic() - start, 1),
        "loud": {c: f.sentence for c, f in report.findings.items() if is_loud(f.severity)},
    }  # fmt: skip


def rows_named(report: Any, world: World) -> dict[str, float | None] | None:
    """Return how many planted rows the wanted finding names, and how many that it names are so."""
    code = world.wanted[0] if world.wanted else ""
    if code not in report.findings or not len(world.rows):
        return None
    named = report.findings[code].rows
    right = float(np.isin(named, world.rows).sum())
    return {
        "recall": right / len(world.rows),
        "precision": right / len(named) if len(named) else None,
    }


def is_loud(severity: str) -> bool:
    return severity in SEVERITIES and SEVERITIES.index(severity) >= MEDIUM


def is_found(said: str) -> bool:
    return said in SEVERITIES


@functools.cache
def known() -> frozenset[str]:
    return frozenset(check.code for check in found_checks())


def by_code(audits: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return counts of each code: planted, found; clean, loud; and of rows."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    rows: dict[str, list[dict[str, float | None]]] = collections.defaultdict(list)
    for a in audits:
        for wanted in a["wanted"]:
            some = [c for c in wanted.split("|") if c in known()]
            if some:
                counts[wanted]["planted"] += 1
                counts[wanted]["found"] += any(is_found(a["said"].get(c, "")) for c in some)
        if a["rows"]:
            rows[a["wanted"][0]].append(a["rows"])
        for code, said in a["said"].items() if not a["wanted"] else ():
            counts[code]["clean"] += said not in ("not applicable", "skipped", "failed")
            counts[code]["false"] += is_loud(said)
    return {
        code: {k: int(counts[code][k]) for k in ("planted", "found", "clean", "false")}
        | {k: _mean([r[k] for r in rows[code]]) for k in ("recall", "precision")}
        for code in sorted(counts)
    }  # fmt: skip


def of_clean(audits: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how many findings of clean audits are loud, of how many that were asked."""
    clean = [a for a in audits if not a["wanted"]]
    asked = sum(s not in ("not applicable", "skipped", "failed") for a in clean
                for s in a["said"].values())  # fmt: skip
    loud = sum(len(a["loud"]) for a in clean)
    share = wilson_interval(loud, asked) if asked else (0.0, 1.0)
    told = {"audits": len(clean), "asked": asked, "loud": loud}
    return told | {"interval": [float(v) for v in share]}


def table(found: dict[str, dict[str, Any]], audits: list[dict[str, Any]]) -> str:
    head = ["| code | found of planted | rows named: recall, precision | loud in clean audits |",
            "|---|---|---|---|"]  # fmt: skip
    body = [
        " | ".join(["", code.replace("|", " or "), _of(c["found"], c["planted"]), _rows(c),
                    _of(c["false"], c["clean"]), ""]).strip()
        for code, c in found.items()
    ]  # fmt: skip
    lacking = sorted({c for a in audits for w in a["wanted"] for c in w.split("|")} - known())
    clean = of_clean(audits)
    end = [f"Clean: {clean['loud']} of {clean['asked']} questions in {clean['audits']} audits are "
           f"answered with severity medium or more."]  # fmt: skip
    failed = collections.Counter(c for a in audits for c, s in a["said"].items() if s == "failed")
    end += [f"Failed: {', '.join(f'{c} {n}' for c, n in failed.items())}."] if failed else []
    end += [f"No check is there for {', '.join(lacking)}."] if lacking else []
    return "\n".join([*head, *body, "", *end])


def line(a: dict[str, Any]) -> str:
    told = {w: [a["said"].get(c, "no check") for c in w.split("|")] for w in a["wanted"]}
    loud = {c: a["said"][c] for c in a["loud"]}
    return f"{a['world']:>18} {a['target']:<9} {a['seed']} {a['seconds']:>6} s {told} loud: {loud}"


def _key(audit: dict[str, Any]) -> tuple[Any, ...]:
    return audit["world"], audit["target"], audit["seed"]


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else ""


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _rows(counts: dict[str, Any]) -> str:
    told = [counts["recall"], counts["precision"]]
    return ", ".join(f"{v:.2f}" for v in told if v is not None)


if __name__ == "__main__":
    main()
