"""`Trial`: what one fit takes on this machine, measured once for all audits that share a folder.

A plan follows from it and from the budget alone. So the same audit, begun again, has the same plan,
whatever the machine does meanwhile.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from overparam.errors import StoreError
from overparam.whole_file import write_whole

_FILE = "trial.json"


@dataclass(frozen=True)
class Trial:
    """What one fit takes.

    Attributes:
        of: digest of data, model and settings. seconds_per_model: on one core, of a subset.
        memory_bytes: of all workers. spent: seconds until the plan was made, of which a budget has
            so much less.
        is_measured: whether the time is that of a whole fit, or led through fits to few rows.
    """

    of: str
    seconds_per_model: float
    memory_bytes: int
    spent: float
    is_measured: bool = False

    def keep(self, folder: Path) -> Trial:
        """Write it into an audit's folder."""
        write_whole(folder / _FILE, json.dumps(asdict(self)))
        return self


def read_trial(folder: Path, of: str) -> Trial | None:
    """Return the trial that an audit's folder holds; None where there is none that can be read.

    Raises:
        StoreError: it is of other data, another model or other settings.
    """
    try:
        found: Any = json.loads((folder / _FILE).read_text())
        trial = Trial(**found)
        numbers = (trial.seconds_per_model, trial.memory_bytes, trial.spent)
        if not all(math.isfinite(number) and number >= 0 for number in numbers):
            return None
    except (OSError, ValueError, TypeError):
        return None
    if trial.of != of:
        raise StoreError(
            f"the audit in {folder} is of other data, another model or another seed",
            got=of,
            allowed=str(trial.of),
            remedy="give what it was made with, or choose another folder",
        )
    return trial
