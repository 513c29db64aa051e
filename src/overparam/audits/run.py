"""`run_audit`: plan, measure, ask every check, and say what it comes to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from overparam.audits.capacity import variants_of
from overparam.audits.check import Check, ask, found_checks, ordered
from overparam.audits.evidence import STAGES, Evidence
from overparam.audits.of_predictions import models_of_predictions
from overparam.audits.plan import RATIO, AuditPlan, plan_audit
from overparam.audits.references import reference_model, references_for
from overparam.audits.result import AuditResult
from overparam.audits.row_table import row_table
from overparam.audits.stages import Machine, Stages, Stand
from overparam.audits.subject import Subject
from overparam.audits.trial import Trial, read_trial
from overparam.audits.verdict import numbers_of, verdict_of
from overparam.checks import check_count, check_range
from overparam.ensembles.learners import NetworkLearner
from overparam.ensembles.planning import in_words, plan_setup, read_seconds
from overparam.ensembles.prepare import prepare
from overparam.ensembles.setup import Setup
from overparam.errors import ResourceError, UsageError
from overparam.lab.machine import describe_machine, describe_versions, find_device
from overparam.lab.pool import Pool
from overparam.lab.run_folder import run_folder
from overparam.lab.runner import DEFAULT_MEMORY_BYTES
from overparam.machine import available_cores

USUAL_BUDGET = "10 min"


def run_audit(
    subject: Subject,
    *,
    budget: float | str = USUAL_BUDGET,
    checks: Iterable[Check] = (),
    mute: Iterable[str] = (),
    seed: int = 0,
    confidence: float = 0.95,
    folder: Path | None = None,
    workers: int | None = None,
    device: str = "auto",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    accept_edits: bool = False,
    on_plan: Callable[[AuditPlan], None] = lambda plan: None,
    on_progress: Callable[[Stand], None] = lambda stand: None,
) -> AuditResult:
    """Audit a subject within a budget.

    Args:
        budget: of time, in seconds or as ``"10 min"``.
        checks: of your own, asked beside the package's. mute: codes that are not shown as found.
        seed: of subsets, weights and whatever is drawn. confidence: of all intervals.
        folder: where finished models are kept, so that the same audit goes on after a kill, and
            one with a larger budget trains only what is missing; None keeps nothing.
        workers, device, memory_bytes, accept_edits: as in `subset_ensemble`.
        on_plan: is told the plan before anything is trained. on_progress: how far it is.

    Raises:
        UsageError: a number, a code or a knob that does not exist, or a model that cannot be
        trained on these data. What makes a stage or a check impossible, such as a fit that raises,
        is said in the result.
    """
    check_count("seed", seed, 0)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    seconds, every = read_seconds(budget), ordered([*found_checks(), *checks])
    muted = _known_codes(mute, every)
    if subject.kind == "data":
        model = reference_model(subject)
        subject = replace(subject, kind="estimator", model=model, name="a random forest")
    evidence = Evidence(subject, seed=seed, confidence=confidence, budget=seconds)
    begun, plan = time.monotonic(), None
    created = datetime.now(UTC).isoformat(timespec="seconds")
    with run_folder(folder) as place:
        if subject.can_fit:
            with Pool(_workers(workers, device), deadline=begun + seconds) as pool:
                machine = Machine(
                    place, pool, device, memory_bytes, on_progress, accept_edits, begun
                )
                plan = _train(evidence, seconds, machine, on_plan)
        else:
            _without_training(evidence)
        findings = {check.code: ask(check, evidence) for check in every}
        return AuditResult(
            verdict_of(evidence, findings),
            numbers_of(evidence, findings),
            findings,
            row_table(evidence, findings),
            {
                **_about(subject),
                "created": created,
                "budget": seconds,
                "seconds": time.monotonic() - begun,
                "seed": seed,
                "confidence": confidence,
                "versions": describe_versions(),
                "machine": describe_machine(),
            },
            plan,
            (*subject.notes, *evidence.notes),
            muted,
            subject,
        )


def _workers(wanted: int | None, device: str) -> int:
    """Return how many processes train: one for each core, or one for a GPU."""
    if wanted is not None:
        return check_count("workers", wanted, 0)
    return available_cores() if find_device(device) == "cpu" else 1


def _train(
    evidence: Evidence,
    seconds: float,
    machine: Machine,
    on_plan: Callable[[AuditPlan], None],
) -> AuditPlan | None:
    """Train what the budget pays for: one model first, whose time corrects the plan of the rest."""
    subject = evidence.subject
    variants, references = variants_of(subject), references_for(subject)
    setup = prepare(
        subject.model, subject.train, recipe=subject.recipe, ratio=RATIO, seed=evidence.seed,
        groups=evidence.groups, evaluate=subject.test, arguments=subject.arguments, one_run=False,
    )  # fmt: skip
    try:
        trial = _tried(setup, machine)
    except ResourceError as error:
        for name in STAGES:
            evidence.lack(
                name,
                "skipped",
                f"{STAGES[name]}: the budget of {in_words(seconds)} does not pay for it: not even "
                f"a short trial of a fit has ended ({error})",
            )
        return None

    def stages_of(trial: Trial) -> Stages:
        plan = plan_audit(
            seconds,
            trial.seconds_per_model,
            workers=max(machine.pool.n_workers, 1),
            variants=[v.cost for v in variants],
            references=[v.cost for v in references],
            memory_bytes=trial.memory_bytes,
            spent=trial.spent,
        )
        on_plan(plan)
        return Stages(evidence, plan, machine, setup, variants, references)

    stages = stages_of(trial)
    first, *others = STAGES
    stages.run([first])
    if evidence.has("one") and not trial.is_measured:
        trial = replace(trial, spent=time.monotonic() - machine.begun, is_measured=True)
        if not isinstance(setup.learner, NetworkLearner):  # those are trained side by side
            trial = replace(trial, seconds_per_model=RATIO * evidence.one.seconds)
        stages = stages_of(trial.keep(machine.folder))
    stages.run(others)
    return stages.plan


def _tried(setup: Setup, machine: Machine) -> Trial:
    known = read_trial(machine.folder, setup.digest)
    if known is not None:
        return known
    found = plan_setup(
        setup, 1, device=machine.device, memory_bytes=machine.memory_bytes, pool=machine.pool
    )
    spent = time.monotonic() - machine.begun
    return Trial(setup.digest, found.seconds_per_model, found.memory_bytes, spent)


def _without_training(evidence: Evidence) -> None:
    """Fill in what is known of predictions alone, and say of the rest why it is not there."""
    for name in STAGES:
        evidence.lack(name, "not applicable", f"{STAGES[name]}: there is no model to train")
    if evidence.subject.kind == "predictions":
        evidence.put("models", models_of_predictions(evidence.subject))


def _about(subject: Subject) -> dict[str, Any]:
    classes = subject.train.classes
    return {
        "name": subject.name,
        "kind": subject.kind,
        "rows": subject.n_rows,
        "test_rows": 0 if subject.test is None else len(subject.test),
        "task": "numbers" if classes is None else "classes",
        "classes": [] if classes is None else [str(c) for c in classes.tolist()],
        "columns": list(subject.train.columns),
    }


def _known_codes(codes: Iterable[str], every: Iterable[Check]) -> tuple[str, ...]:
    wanted, known = tuple(codes), [check.code for check in every]
    unknown = [code for code in wanted if code not in known]
    if unknown:
        raise UsageError(
            "no check has such a code to be muted", got=", ".join(unknown), allowed=", ".join(known)
        )
    return wanted
