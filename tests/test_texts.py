"""Texts from outside: nothing of them acts, and nothing harmless is changed."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from overparam.texts import printable

ANY = st.text(st.characters(exclude_categories=()))


def acts(letter: str) -> bool:
    """Whether it is a control, a half of a pair, no character, or a mark of direction."""
    noncharacter = 0xFDD0 <= ord(letter) <= 0xFDEF or ord(letter) & 0xFFFE == 0xFFFE
    direction = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return (
        unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
        or noncharacter
        or unicodedata.bidirectional(letter) in direction
        or letter in "\u061c\u200e\u200f\ufeff"
    )


@given(ANY)
def test_nothing_that_acts_is_left(text):
    shown = printable(text)
    assert not [letter for letter in shown if acts(letter) and letter not in "\t\n"]
    assert not [letter for letter in printable(text, one_line=True) if acts(letter)]
    shown.encode()
    assert printable(shown) == shown


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf", "Cn", "Zl", "Zp"))))
def test_other_texts_are_left_as_they_are(text):
    assert printable(text) == text


def test_every_character_by_itself():
    wrong = [
        n for n in range(0x110000) if acts(chr(n)) == (printable(chr(n), one_line=True) == chr(n))
    ]
    assert wrong == []


def test_a_long_text_is_cut_and_says_so():
    assert printable("x" * 100_000) == "x" * 10_000 + "… (90,000 more letters)"
    assert printable("x" * 5, 5) == "xxxxx"


def test_escapes_can_be_read():
    assert (
        printable("a\x1b[2J\x7f\u202eb\ud800\uffff\nc")
        == r"a\x1b[2J\x7f\u202eb\ud800\uffff" + "\nc"
    )
    assert printable("a\nb\tc", one_line=True) == r"a\nb\tc"
