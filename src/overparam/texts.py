"""`printable`: text that came from outside, as it may enter a terminal, a page or a drawing.

A name or an error may hold escape codes that a terminal obeys, characters that an XML page or a
drawing library refuses, marks that turn the order of letters around, or a hundred thousand
letters. Texts are kept as they are and cleaned once, where they are shown.
"""

from __future__ import annotations

import re

MOST_LETTERS = 10_000  # of one text; more are no text to read

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for tab and new line
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that change the direction of writing
    "\u2028\u2029"  # separators of lines and paragraphs
    "\ud800-\udfff"  # halves of surrogate pairs, which UTF-8 cannot hold
    "\ufdd0-\ufdef\ufeff"  # no characters, and the mark of byte order
    + "".join(
        f"{chr(plane + 0xFFFE)}-{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 1 << 16)
    )
    + "]"
)
_LINE_BREAKS = re.compile("[\n\t]")


def printable(text: str, most: int = MOST_LETTERS, *, one_line: bool = False) -> str:
    r"""Return `text` with what cannot or must not be shown as visible escapes, and not too long.

    Escaped are control characters, halves of surrogate pairs, what Unicode calls no characters,
    and marks that change the direction of writing. A text of harmless letters comes back as it is.

    Args:
        most: letters that are kept; a longer text ends with a note of how many were left out.
        one_line: escape tabs and ends of lines too, so that a text cannot pose as several.

    >>> print(printable("\x1b[31mred\x00 \ud800 \u202eback"))
    \x1b[31mred\x00 \ud800 \u202eback
    >>> printable("abcdef", most=4)
    'abcd… (2 more letters)'
    """
    left_out = len(text) - most
    if left_out > 0:
        text = f"{text[:most]}… ({left_out:,} more letters)"
    text = _UNSEEN.sub(_escape, text)
    return _LINE_BREAKS.sub(_escape, text) if one_line else text


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode()
