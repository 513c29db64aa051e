"""A synthetic study, shaped like double descent, to draw and to break."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overparam.lab.figure import Axis, Chart, Figure, ImageGrid, Panel, Rule, Series, Table
from overparam.lab.phenomenon import Phenomenon, Scale, factor, quantity
from overparam.lab.records import Record, Records
from overparam.lab.study import StudyResult
from overparam.lab.verdict import Interval, decide
from overparam.report.study import Study
from tests.report.browsing import CHROMIUM, QUIET, Visit
from tests.report.gallery_pages import ALIVE, GALLERY

N_TRAIN = 1000
P_AXIS = Axis("Random features p", scale="log")
ERROR_AXIS = Axis("Test error", "fraction wrong", zero=True)

DOC = """Double descent, made up for tests.

Claim: Test error peaks where the number of features equals the number of training examples, and
    falls again below the best of the first descent.

Control: Ridge regression whose penalty is tuned on held-out data has no such peak.

Sources: Belkin et al. 2019, PNAS 116(32), Fig. 2; Nakkiran et al. 2020, Fig. 1.

Differs: 1,000 examples instead of 60,000, and errors drawn from a formula.

In practice: Near the threshold a bigger model helps, and so does a little regularization. Away from
    it neither matters much. Look where your own model stands before you tune it.
"""


@dataclass(frozen=True)
class Condition:
    """One cell."""

    n_features: int = factor(10, symbol="p", unit="features", doc="random features", low=1)
    arm: str = factor("treatment", doc="which arm", choices=["treatment", "control"])
    n_train: int = factor(N_TRAIN, symbol="n", unit="examples", low=2)


@dataclass(frozen=True)
class Outcome:
    """Its numbers."""

    test_error: float = quantity("fraction wrong", "on held-out examples")
    train_error: float = quantity("fraction wrong", "on the training examples")
    weight_norm: float = quantity("", "Euclidean norm of the weights")


def _cells(base: Condition) -> list[Condition]:
    widths = np.unique(np.geomspace(10, 30000, 24).astype(int))
    arms = ("treatment", "control")
    return [dataclasses.replace(base, n_features=int(p), arm=a) for a in arms for p in widths]


async def _run(condition: Condition, streams: Any) -> Outcome:
    raise NotImplementedError("the synthetic study is not run")


PHENOMENON = Phenomenon(
    doc=DOC,
    condition=Condition,
    outcome=Outcome,
    cells=_cells,
    run=_run,
    summarise=lambda records: {},
    verdict=lambda summary: None,  # type: ignore[arg-type,return-value]
    figures=lambda summaries, records: [],
    scales={
        s: Scale(Condition(), n_seeds=5, note="made up") for s in ("smoke", "standard", "full")
    },
    name="synthetic_descent",
)


def _outcome(condition: Condition, seed: int) -> Outcome:
    rng = np.random.default_rng([seed, condition.n_features, condition.arm == "control"])
    ratio = condition.n_features / N_TRAIN
    base = 0.16 + 0.5 / (1 + 6 * ratio**0.7)
    peak = 0.34 * np.exp(-8 * np.log(ratio) ** 2) if condition.arm == "treatment" else 0.0
    train = max(0.0, 0.55 * (1 - ratio**0.5)) if ratio < 1 else 0.0
    norm = 30 * ratio**0.5 * (1 + 8 * np.exp(-8 * np.log(ratio) ** 2))
    return Outcome(*(v * float(np.exp(rng.normal(0, 0.04))) for v in (base + peak, train, norm)))


def _series(label: str, role: Any, records: Records, name: str, **more: Any) -> Series:
    x, dots = records.matrix(name, by="n_features")
    centre, spread = dots.mean(1), dots.std(1)
    words = {"statistic": f"mean over {dots.shape[1]} seeds", "band": "two standard deviations"}
    band = {"low": centre - 2 * spread, "high": centre + 2 * spread} if dots.shape[1] > 1 else {}
    return Series(label, role, x, centre, dots=dots, **words, **band, **more)


def make_records(seeds: Sequence[int]) -> Records:
    cells = [(c, s) for s in seeds for c in _cells(Condition())]
    return Records([Record(c, s, _outcome(c, s), provenance={"seconds": 0.5}) for c, s in cells])


def make_figures(records: Records) -> list[Figure]:
    treated, control = (records.where(arm=a) for a in ("treatment", "control"))
    threshold = Rule(N_TRAIN, "interpolation threshold p = n")
    errors = [_series("test error", "test", treated, "test_error")]
    errors.append(_series("train error", "train", treated, "train_error"))
    if len(control):
        errors.append(_series("test error, tuned ridge", "control", control, "test_error"))
    grid = np.geomspace(10, 30000, 80)
    errors.append(Series("theory", "theory", grid, 0.16 + 0.5 / (1 + 6 * (grid / N_TRAIN) ** 0.7)))
    main = Chart(
        "test_error",
        "Test error peaks at 1,000 features, where training error reaches 0",
        "Left of the dotted rule the model cannot fit all training labels; right of it it fits"
        " them all. The blue curve peaks at the rule and falls below its first minimum.",
        [Panel("", P_AXIS, ERROR_AXIS, errors, [threshold])],
    )
    norms = Axis("Norm of the weights", scale="log")
    paired = Chart(
        "norm_and_error",
        "The weights grow largest where the error peaks",
        "Both panels share their horizontal axis.",
        [
            Panel("Error", P_AXIS, ERROR_AXIS, errors[:2], [threshold, Rule(900, "n/p = 1.1")]),
            Panel(
                "Norm",
                P_AXIS,
                norms,
                [_series("weight norm", "norm", treated, "weight_norm")],
                [threshold, Rule(200, "reference", axis="y")],
            ),
        ],
    )
    return [main, paired, make_images(), make_table()]


def make_images(rows: int = 3, columns: int = 5, color: bool = False) -> ImageGrid:
    i, j = np.mgrid[0:28, 0:28]
    shape = (rows, columns, 28, 28) + ((3,) if color else ())
    images = np.zeros(shape)
    for r in range(rows):
        for c in range(columns):
            ring = np.exp(-((np.hypot(i - 14, j - 14) - 4 - r - c) ** 2) / 6)
            images[r, c] = ring[..., None] * [1, 0.5, 0.2] if color else ring
    images[0, -1] = np.nan
    return ImageGrid(
        "examples",
        "Rows of rings",
        "The training image is on the left; each column to its right is a wider ring.",
        images,
        [f"ring {r}" for r in range(rows)],
        ["training image", *(f"wider by {c}" for c in range(1, columns))],
        notes=[[f"row {r}, column {c}" for c in range(columns)] for r in range(rows)],
    )


def make_table() -> Table:
    return Table(
        "minima",
        "The second minimum is lower than the first",
        "Geometric means over seeds.",
        {"descent": ["first", "second"], "n_features": [120, 30000], "test error": [0.31, 0.19]},
        {"n_features": "features", "test error": "fraction wrong"},
    )


def make_result(n_seeds: int = 5, **changes: Any) -> StudyResult:
    """Return the synthetic study; `changes` replace fields of the result."""
    seeds = list(range(n_seeds))
    records = changes.pop("records", make_records(seeds))
    rule = "observed if the whole interval of peak / second minimum lies above 1.2"
    verdicts = {
        "treatment": decide(
            Interval(2.63, 2.31, 2.97, n=n_seeds),
            at_least=1.2,
            unit="ratio",
            rule=rule,
            reason="the peak is 2.63 times the second minimum",
        ),
        "control": decide(
            Interval(1.02, 0.97, 1.08, n=n_seeds),
            at_least=1.2,
            unit="ratio",
            rule=rule,
            reason="the largest error beyond the threshold is 1.02 times the last",
        ),
    }
    result = StudyResult(
        PHENOMENON,
        "standard",
        {"n_train": 1000},
        seeds,
        records,
        n_planned=len(_cells(Condition())) * n_seeds,
        verdicts=verdicts,
        figures=make_figures(records),
        provenance={
            "created": "2026-11-22T02:30:00Z",
            "seconds": 96.4,
            "peak_memory_bytes": 812 * 2**20,
            "device": "cpu",
            "workers": 2,
            "machine": {
                "cpu": "Made-up Processor",
                "cores": 2,
                "memory_bytes": 8 * 2**30,
                "system": "Linux",
            },
            "versions": {"python": "3.11", "torch": "2.13", "numpy": "2.4", "overparam": "0.1.0"},
            "notes": ["stack 3 ran one model at a time: made up"],
        },
    )
    return dataclasses.replace(result, **changes)


@pytest.fixture
def synthetic() -> Callable[..., StudyResult]:
    """The factory `make_result`."""
    return make_result


@pytest.fixture(scope="session")
def synthetic_factory() -> Callable[..., StudyResult]:
    """The factory, for fixtures that outlive one test."""
    return make_result


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A running chromium; a module at a time, so that none outlives what it shows."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def gallery_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with the gallery of `gallery_pages` alone."""
    path = tmp_path_factory.mktemp("gallery") / "report.html"
    return Study(make_result(1, figures=[GALLERY])).save_report(path)


@pytest.fixture
def visit_gallery(browser: Any, gallery_report: Path) -> Iterator[Callable[..., Visit]]:
    """Opens the gallery's page, and at the end holds it to having asked and complained nothing."""
    visits: list[Visit] = []

    def open_page(**context: Any) -> Visit:
        visits.append(Visit(browser, gallery_report, ALIVE, **context))
        return visits[-1]

    yield open_page
    for one in visits:
        assert one.complaints == []
        assert [u for u in one.requests if not u.startswith(("data:", "blob:"))] == [one.url]
        one.close()
