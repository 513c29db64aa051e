"""`Phenomenon`: one claim, its designs, and how it is run, summarised, judged and drawn."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import os
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from overparam.checks import check_choice
from overparam.errors import CodeError, OverparamError, UsageError
from overparam.lab.blame import blaming_code, text_of
from overparam.lab.callables import code_behind
from overparam.lab.settings import check_settings, out_of_range

if TYPE_CHECKING:  # `overparam list` reads claims, and need not wait for NumPy
    from overparam.lab.figure import Figure
    from overparam.lab.records import Records
    from overparam.lab.verdict import Verdict
    from overparam.streams import Streams

ScaleName = Literal["smoke", "standard", "full"]
SCALES: tuple[ScaleName, ...] = ("smoke", "standard", "full")
TREATMENT = "treatment"
_HOME = "overparam.phenomena."  # where phenomena have a chapter in their name


def factor(
    default: Any = dataclasses.MISSING,
    *,
    symbol: str = "",
    unit: str = "",
    doc: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] | None = None,
    odd: bool = False,
    instead: str = "",
) -> Any:
    """Declare one field of a `Condition` with symbol, unit and range (all shown and checked).

    Args:
        default: need not lie in the range where the design places the field in every cell.
        low, high, choices: of what a user sets and of what `cells` places.
        odd: whether only odd numbers are allowed.
        instead: fields that a user sets instead of this one, where only the design can tell what
            belongs in it.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Condition:
    ...     n_train: int = factor(100, symbol="n", unit="examples", low=2)
    >>> dataclasses.fields(Condition)[0].metadata["unit"]
    'examples'
    """
    meta = {
        "symbol": symbol,
        "unit": unit,
        "doc": doc,
        "low": low,
        "high": high,
        "choices": choices,
        "odd": odd,
        "instead": instead,
    }
    return dataclasses.field(default=default, metadata=meta)


def quantity(unit: str = "", doc: str = "") -> Any:
    """Declare one field of an `Outcome` with its unit."""
    return dataclasses.field(metadata={"unit": unit, "doc": doc})


@dataclass(frozen=True)
class Scale:
    """One size of the experiment.

    Attributes:
        base: the Condition that `Phenomenon.cells` spans into all cells of one seed.
        n_seeds: default number of seeds.
        note: what this scale corresponds to, such as "Belkin et al. 2019, Fig. 2".
    """

    base: Any
    n_seeds: int
    note: str = ""


@dataclass(frozen=True)
class Phenomenon:
    """A claim that can be run, seen and checked.

    Attributes:
        doc: the module's docstring, with paragraphs starting ``Claim:``, ``Control:``,
            ``Falsified:`` (what would have made the control fail),
            ``Sources:``, ``Differs:`` (where this setting differs from the source) and
            ``In practice:`` (what it means for the reader's own model).
        condition, outcome: frozen dataclasses of one cell's factors and results.
        cells: `cells(base) -> conditions` of one seed, all arms, capacity axis placed by code.
        run: `async run(condition, streams) -> outcome`, one cell in plain sight. What it holds, as
            a closure or a partial call does, is part of a study's identity.
        summarise: `summarise(records) -> {arm: summary}`; the arm ``"treatment"`` and one entry
            per control. Arms may be read from the same cells (last epoch, best epoch).
        verdict: `verdict(summary) -> Verdict`. Of a control it judges what the control's own
            sentence says, so that absent means that this holds, and not that some other clause
            of the treatment's rule fails there in any case. None where a study makes no claim,
            such as an ensemble: it has records and nothing that is concluded from them.
        figures: `figures({arm: summary}, records) -> figures`; the first is the main one.
        scales: smoke, standard and full.
        controls: names of the control arms, so that one which a design leaves out (by a setting)
            is told as inconclusive, not left out of the verdicts.
        revision: raise it when `run` changes what it computes; part of every record's key.
        stack_by: names of condition fields that must agree within a stack of cells; leave empty
            unless cells of different values should not share a unit of work.
        stack_size: largest number of cells in one unit of work (the unit of loss).
        loads: `loads(condition)` names the code of the user's own that a cell loads, as name to
            files, such as the module of a network that is probed; part of a study's identity.
        parts: functions and classes of the user's own that cells run, by name, where `run` is an
            object of this package that holds them.
        file: what is named for its code, where that was not loaded.
        subcommand: words after ``overparam`` that run it, followed by the setting ``target``,
            where that is not ``run NAME``. Its headline is the treatment's own reason.
    """

    doc: str
    condition: type
    outcome: type
    cells: Callable[[Any], Sequence[Any]]
    run: Callable[[Any, Streams], Coroutine[Any, Any, Any]]
    summarise: Callable[[Records], Mapping[str, Any]]
    verdict: Callable[[Any], Verdict] | None
    figures: Callable[[Mapping[str, Any], Records], Sequence[Figure]]
    scales: Mapping[ScaleName, Scale]
    controls: tuple[str, ...] = ()
    revision: int = 1
    stack_by: tuple[str, ...] = ()
    stack_size: int = 32
    loads: Callable[[Any], Mapping[str, Sequence[Path]]] = lambda condition: {}
    parts: Mapping[str, Any] = field(default_factory=dict)
    subcommand: tuple[str, ...] = ()
    file: str = ""
    name: str = field(default="")

    def __post_init__(self) -> None:
        if not callable(self.run):
            raise UsageError(
                "run of a phenomenon is no function",
                got=type(self.run).__name__,
                allowed="async run(condition, streams) -> outcome, or what can be called so",
            )
        code = code_behind(self.run)
        if self.doc is None:  # python -OO leaves docstrings out, and `__doc__` is empty
            object.__setattr__(self, "doc", docstring(inspect.getsourcefile(code)))
        if isinstance(self.controls, str) or not all(isinstance(a, str) for a in self.controls):
            raise TypeError(f"controls are a tuple of names, got {self.controls!r:.80}")
        if not self.name:
            module = inspect.getmodule(code)
            object.__setattr__(self, "name", _name_in(module.__name__ if module else ""))

    @property
    def claim(self) -> str:
        """The claim, one falsifiable sentence."""
        return paragraph(self.doc, "Claim")

    @property
    def target(self) -> str:
        """What `overparam run` is given: the name, or the file of a phenomenon of one's own."""
        code = code_behind(self.run)
        if self.file or code.__module__.startswith("overparam."):
            return self.file or self.name
        return os.path.relpath(inspect.getsourcefile(code) or self.name)

    def conditions(
        self, scale: str = "standard", settings: Mapping[str, Any] | None = None
    ) -> list:
        """Return the cells of one seed at `scale`, with `settings` (field to value) applied.

        A setting changes the base that the design spans, so that an axis placed by the code
        follows it; a factor that the design itself sweeps is held at the value given.

        Raises:
            UsageError: unknown scale or field, value of the wrong type or out of range, or values
                with which `cells` ends or places another field out of its range, where it does
                not without them.
            CodeError: `cells` raises, or does not return the same design each time.
        """
        check_choice("scale", scale, list(self.scales))
        base = self.scales[scale].base  # type: ignore[index]
        settings = check_settings(self.condition, settings or {})
        with blaming_code(self.name, "cells", passing=(OverparamError,)):
            try:
                held = self._span(base, settings)
            except Exception as error:
                if _says_what_to_set(error, settings):
                    raise
                # What ends without these settings too is the code's own fault.
                if not settings or self._ends(base, {}):
                    raise
                alone = {n: v for n, v in settings.items() if self._ends(base, {n: v})}
                kind = "" if isinstance(error, UsageError) else f"{type(error).__name__}: "
                raise UsageError(
                    "the design cannot be made with these values",
                    got=f"{_told(alone or settings)} ({kind}{text_of(error)})",
                    remedy="choose values nearer to the documented ones",
                ) from error
        self._check_ranges(held, settings)
        return held

    def _span(self, base: Any, settings: Mapping[str, Any]) -> list[Any]:
        base = replace(base, **settings)
        spanned, again = list(self.cells(base)), list(self.cells(base))
        # By their texts too: a NaN is not equal to another.
        if spanned != again and repr(spanned) != repr(again):
            raise CodeError(
                f"cells of {self.name} returned another design when it was called again",
                allowed="the same design each time",
                remedy="draw no random numbers and read no clock in it",
            )
        if not spanned:
            raise ValueError("it returned no cells")
        # Python's 1, 1.0 and True are equal, and still three values of a field.
        kept: dict[str, Any] = {}
        for condition in (replace(c, **settings) for c in spanned):
            kept.setdefault(_told_apart(condition), condition)
        return list(kept.values())

    def _ends(self, base: Any, settings: Mapping[str, Any]) -> bool:
        try:
            self._span(base, settings)
        except Exception:
            return True
        return False

    def _check_ranges(self, conditions: Sequence[Any], settings: Mapping[str, Any]) -> None:
        """Refuse a design that places a value outside its field's range."""
        for c in conditions:
            wrong = out_of_range(c)
            if not wrong:
                continue
            name, value, allowed = wrong
            if not settings:
                raise CodeError(
                    f"cells of {self.name} places {name} out of range",
                    got=value,
                    allowed=allowed,
                    remedy="mend the code, or the range that the field declares",
                )
            raise UsageError(
                f"the design places {name} out of range with these values",
                got=f"{value}, from {_told(settings)}",
                allowed=allowed,
            )


def _told_apart(condition: Any) -> str:
    from overparam.lab.rows import canonical

    fields = dataclasses.fields(condition)
    return repr([canonical(getattr(condition, f.name), f.type) for f in fields])


def _says_what_to_set(error: Exception, settings: Mapping[str, Any]) -> bool:
    if isinstance(error, UsageError):
        return any(name in str(error) for name in settings)
    return isinstance(error, OverparamError)


def _told(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())


def _name_in(module: str) -> str:
    """Return ``chapter/name`` of a module of the package's own, else the module's last name."""
    chapter, _, name = module.removeprefix(_HOME).partition(".")
    if module.startswith(_HOME) and name:
        return f"{chapter}/{name}"
    return module.rsplit(".", 1)[-1]


def docstring(path: str | Path | None) -> str:
    """Return the docstring of a module's file, read from its text; "" where there is none."""
    if path is None:
        return ""
    return ast.get_docstring(ast.parse(Path(path).read_text(encoding="utf-8"))) or ""


def paragraph(doc: str, heading: str) -> str:
    """Return the paragraph of a docstring that starts with ``heading:``, on one line, or "".

    >>> paragraph("Title.\\n\\nClaim: it peaks\\n    at n.\\n\\nControl: ridge.", "Claim")
    'it peaks at n.'
    """
    found = re.search(rf"^\s*{heading}:\s*(.+?)(?=\n\s*\n|\Z)", doc, re.M | re.S)
    return " ".join(found.group(1).split()) if found else ""
