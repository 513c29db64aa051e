"""What `overparam ensemble` says of a table whose labels are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.cli.output import Output, text_table
from overparam.errors import EXIT_OK

if TYPE_CHECKING:
    from overparam.ensembles import Ensemble, TargetEnsemble

_SHOWN = 10


def show_targets(found: TargetEnsemble, rows: Path, notes: tuple[str, ...], out: Output) -> None:
    """Tell which targets are memorized most, and what is amiss."""
    table = {name: column.tolist() for name, column in found.row_table.items()}
    scores = table["memorization"]
    most = sorted(range(found.n_rows), key=lambda i: -scores[i] if scores[i] == scores[i] else 1e99)
    out.say_lines("\n".join(repr(found).splitlines()[:3]))
    out.say()
    out.say("memorized most, as a share of the targets' variance")
    header = ("row", "target", "memorization", "interval", "predicted out of sample")
    shown = [
        [
            str(i),
            f"{table['target'][i]:.4g}",
            f"{scores[i]:.3f}",
            f"[{table['memorization_low'][i]:.3f}, {table['memorization_high'][i]:.3f}]",
            f"{table['prediction'][i]:.4g}",
        ]
        for i in most[:_SHOWN]
    ]
    out.say_lines(text_table(header, shown, "rrrrr"))
    tell_end(found, rows, notes, out, {"memorized_most": most[:_SHOWN]})


def tell_end(
    found: Ensemble | TargetEnsemble,
    rows: Path,
    notes: tuple[str, ...],
    out: Output,
    more: Mapping[str, Any],
) -> None:
    """Tell what is amiss with an ensemble, how data were read, and where its rows are.

    Args:
        more: what the JSON has beside that.
    """
    for text in found.findings:
        out.say(f"finding: {text}")
    for text in (*notes, *found.notes):
        out.say(f"note: {text}")
    out.say(f"wrote {rows}")
    out.emit(
        {
            "n_models": found.n_models,
            "n_rows": found.n_rows,
            "model": found.model,
            **more,
            "findings": list(found.findings),
            "notes": [*notes, *found.notes],
            "folder": str(found.folder),
            "files": [str(rows)],
            "exit_code": EXIT_OK,
        }
    )
