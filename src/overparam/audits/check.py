"""`Check`: one question that an audit asks, and where all of them are found."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from overparam.audits import checks
from overparam.audits.evidence import PARTS, Missing
from overparam.audits.finding import Finding
from overparam.errors import OverparamError, UsageError
from overparam.stopping import is_stop
from overparam.streams import Streams

if TYPE_CHECKING:
    from overparam.audits.evidence import Evidence
    from overparam.audits.subject import Subject

_CODE = re.compile(r"[A-Z]{2,6}[0-9]{3}")


@dataclass(frozen=True)
class Check:
    """One question, asked of the evidence.

    Attributes:
        code: stable, such as ``OP201``; of your own, other letters than ``OP``.
        title: a few words, such as "Rows learned by heart".
        run: returns a `Finding` that is found, passed or undecided.
        needs: parts of the evidence without which it cannot be asked, names of `PARTS`.
        applies: returns why it does not apply to a subject; "" where it does.
        validated_by: the phenomenon that shows that its measure measures this, ``chapter/name``.
        page: of the documentation; by default its group's.
    """

    code: str
    title: str
    run: Callable[[Evidence], Finding]
    needs: tuple[str, ...] = ()
    applies: Callable[[Subject], str] = lambda subject: ""
    validated_by: str = ""
    page: str = ""

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.code):
            raise UsageError(
                "a check has a code", got=self.code, allowed="letters and three digits, as MY101"
            )
        unknown = [name for name in self.needs if name not in PARTS]
        if unknown:
            raise UsageError(
                f"{self.code} needs what no evidence has",
                got=", ".join(unknown),
                allowed=", ".join(PARTS),
            )


def found_checks() -> tuple[Check, ...]:
    """Return the package's checks by code: each module under `checks` that has a ``CHECK``."""
    found = []
    for info in pkgutil.walk_packages(checks.__path__, f"{checks.__name__}."):
        if info.ispkg or info.name.rpartition(".")[2].startswith("_"):
            continue
        found.append(importlib.import_module(info.name).CHECK)
    return ordered(found)


def ordered(found: Iterable[Check]) -> tuple[Check, ...]:
    """Return checks by code.

    Raises:
        UsageError: two have one code.
    """
    by_code: dict[str, Check] = {}
    for check in found:
        if check.code in by_code:
            raise UsageError("two checks have one code", got=check.code)
        by_code[check.code] = check
    return tuple(by_code[code] for code in sorted(by_code))


def ask(check: Check, evidence: Evidence) -> Finding:
    """Return what a check says; whatever it raises is a finding of its own and ends nothing."""
    return replace(
        _answer(check, evidence),
        code=check.code,
        title=check.title,
        page=check.page or _page_of(check.code),
        validated_by=check.validated_by,
    )


def _answer(check: Check, evidence: Evidence) -> Finding:
    try:
        reason = check.applies(evidence.subject)
        if reason:
            return Finding("not applicable", reason)
        for name in check.needs:
            evidence.require(name)
        # What a model draws that a check fits again is the same each time, and nobody else's.
        with Streams(evidence.seed).global_generators(check.code):
            found = check.run(evidence)
    except Missing as missing:
        return Finding(missing.status, missing.reason)
    except OverparamError as error:
        return Finding("failed", str(error))
    except (Exception, SystemExit) as error:
        if is_stop(error):
            raise
        return Finding("failed", f"{type(error).__name__}: {error}"[:500])
    if not isinstance(found, Finding):
        return Finding("failed", f"the check returned {type(found).__name__}, not a Finding")
    return found


def _page_of(code: str) -> str:
    """Return the page of a code of this package, in its documentation."""
    groups = {
        "1": "capacity",
        "2": "memorization",
        "3": "generalization",
        "4": "privacy",
        "5": "data",
        "6": "training",
    }
    group = groups.get(code[2], "") if code.startswith("OP") else ""
    return f"docs/audit/{group}.md#{code.lower()}" if group else ""
