"""Random generators that a phenomenon holds, which make records depend on who computes what."""

from __future__ import annotations

from overparam.errors import UsageError
from overparam.lab.code import VALUES, OwnCode
from overparam.lab.digests import GENERATOR, WITHOUT


def refuse_held_generators(code: OwnCode) -> None:
    """Refuse generators that functions of a phenomenon hold, or find in their modules.

    Such a generator goes on from cell to cell, and each worker process has a copy: with one worker
    the second cell draws what follows, with two it draws what the first one drew, so seeds are
    no replicates. Nobody can tell that none of them is drawn from.

    Raises:
        UsageError: there is one.
    """
    held = [
        n for n, d in code.files.get(VALUES, {}).items() if GENERATOR in d.partition(WITHOUT)[2]
    ]
    if held:
        raise UsageError(
            "the phenomenon holds a random generator, which goes on from cell to cell and begins "
            "anew in each worker process: cells would draw the same, or of their order",
            got=", ".join(held),
            allowed="generators that a cell makes, and the global ones, which each cell has to "
            "itself",
            remedy='draw from streams, such as streams.numpy("name") or streams.torch("name"); or '
            "make the generator within run, such as np.random.default_rng(5), where each cell "
            "shall draw the same",
        )
