"""Digests of values that a study's code holds, as texts: what they say, and how they differ.

One is of what is held in whatever order, then of the order, and at the end it may say what of the
value could not be told. One that begins with `IF_KNOWN` differs only from what is known too. What
is made from a set has another order in every process. Where the text of a file says how a value is
made, its order decides nothing; elsewhere it is part of the value.
"""

from __future__ import annotations

import re
from typing import Any

WITHOUT = "without what cannot be told: "
GENERATOR = "random generator "  # before the type of one, among what cannot be told
IF_KNOWN = "where it is known: "
ORDER = " in the order "
ANY_ORDER = " in any order, now "
_ORDER = re.compile(f"(?:{ORDER}|{ANY_ORDER})[0-9a-f]+")


def is_other(before: Any, after: Any) -> bool:
    """Whether two digests are of different values; either may be what a forged study says.

    >>> is_other("ab in the order 1", "ab in the order 2")
    True
    >>> is_other("ab in any order, now 1", "ab in any order, now 2")
    False
    >>> is_other(None, "ab"), is_other(None, f"{IF_KNOWN}ab")
    (True, False)
    """
    if before is None or after is None:
        return before is not after and not str(before or after).startswith(IF_KNOWN)
    if is_reordered(before, after):
        return ORDER in before or ORDER in after
    return bool(_told(before) != _told(after))


def is_reordered(before: Any, after: Any) -> bool:
    """Whether two digests differ in the order of what is held, and in nothing else.

    >>> is_reordered("ab in the order 1", "ab in the order 2")
    True
    """
    if not (isinstance(before, str) and isinstance(after, str)) or _told(before) == _told(after):
        return False
    return _ORDER.sub("", before) == _ORDER.sub("", after)


def _told(digest: Any) -> Any:
    return digest.replace(ANY_ORDER, ORDER) if isinstance(digest, str) else digest
