"""The index of many studies as one HTML file: claim, verdicts, picture and link of each.

It is written into the folder that holds the studies' own folders, and its links are relative, so
that the folder can be sent or served as it is. Like a report it needs nothing else, works without
scripts (which add the search and the theme switch), and forbids every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from overparam.lab.figure_checks import clean_texts
from overparam.report.arms import SYMBOLS, Arm, interval_sentence
from overparam.report.formatting import format_measured, format_number
from overparam.report.page import (
    own_names,
    page_policy,
    page_script,
    page_style,
    render_template,
)
from overparam.report.study import Study
from overparam.report.thumbnails import thumbnail_svg

_STYLES = ("page.css", "index.css")
_SCRIPTS = ("theme.js", "index.js")
_LONGEST = 5_000  # letters of one text
_CREATED_DAY = slice(0, 10)  # of an ISO 8601 time


@dataclass(frozen=True)
class IndexEntry:
    """One study of the index.

    Attributes:
        name: of its phenomenon, ``chapter/name`` or that of a file of one's own.
        link: address of its report, relative to the index; "" where there is none.
        verdicts: arm to kind, the treatment first. headline: what they say together.
        arms: with effect and interval; empty where only the kinds are known.
        thumbnail: SVG in the page's colours, or "".
        facts: scale, seeds and day, in words. note: why something is not shown.
    """

    name: str
    title: str
    claim: str
    headline: str
    link: str
    verdicts: tuple[tuple[str, str], ...]
    arms: tuple[Arm, ...] = ()
    thumbnail: str = ""
    facts: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        # Names and notes of a study that could not be read come from its folder as they are.
        for name in ("name", "title", "claim", "headline", "verdicts", "facts", "note"):
            object.__setattr__(self, name, clean_texts(getattr(self, name), _LONGEST))

    @property
    def chapter(self) -> str:
        """The chapter of the phenomenon, or "" of one of the user's own."""
        return self.name.partition("/")[0] if "/" in self.name else ""

    @property
    def words(self) -> str:
        """What the search looks in."""
        kinds = " ".join(f"{arm} {kind}" for arm, kind in self.verdicts)
        return " ".join([self.name, self.title, self.claim, self.headline, kinds]).lower()


def entry_of(study: Study, link: str) -> IndexEntry:
    """Return the entry of a study whose report lies at `link`, relative to the index."""
    content = study.content
    settings = [f"{name} = {format_number(value)}" for name, value in content.settings.items()]
    created = str(content.provenance.get("created", ""))[_CREATED_DAY]
    n_seeds = f"{len(content.seeds)} seed{'' if len(content.seeds) == 1 else 's'}"
    return IndexEntry(
        name=content.name,
        title=content.title,
        claim=content.claim,
        headline=content.headline,
        link=link,
        verdicts=tuple((arm.name, arm.kind) for arm in content.arms),
        arms=content.arms,
        thumbnail=thumbnail_svg(study.figures[0]) if study.figures else "",
        facts=tuple(filter(None, [f"{content.scale} scale", n_seeds, *settings, created])),
    )


def render_index(
    entries: Sequence[IndexEntry],
    title: str,
    introductions: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the index as one HTML document.

    Args:
        entries: in the order in which they are to be read; those of one chapter side by side.
        title: of the page. introductions: chapter to its docstring.
    """
    from markupsafe import Markup

    script = page_script(_SCRIPTS)
    told = dict(introductions)
    return render_template(
        "index.html.j2",
        title=title,
        policy=Markup(page_policy(script)),
        css=Markup(page_style(_STYLES)),
        script=Markup(script),
        n_entries=len(entries),
        chapters=[
            {
                "name": chapter,
                "title": _title(told.get(chapter, ""), chapter),
                "paragraphs": _paragraphs(told.get(chapter, "")),
                "cards": [_card(e, i) for i, e in enumerate(entries) if e.chapter == chapter],
            }
            for chapter in dict.fromkeys(e.chapter for e in entries)
        ],
    )


def _card(entry: IndexEntry, number: int) -> dict[str, Any]:
    from markupsafe import Markup

    effects = {arm.name: arm for arm in entry.arms}
    arms = []
    for name, kind in entry.verdicts:
        arm = effects.get(name)
        arms.append(
            {
                "name": name,
                "kind": kind,
                "symbol": SYMBOLS.get(kind, ""),
                "effect": f"{format_measured(arm.estimate, arm.low, arm.high)} {arm.unit}"
                if arm
                else "",
                "interval": interval_sentence(arm) if arm else "",
            }
        )
    drawing = own_names(entry.thumbnail, f"card{number}")
    return {"entry": entry, "arms": arms, "thumbnail": Markup(drawing)}


def _title(introduction: str, chapter: str) -> str:
    return introduction.partition("\n")[0].rstrip(".") or chapter or "Phenomena of your own"


def _paragraphs(introduction: str) -> list[tuple[str, str]]:
    """Return heading and text of the paragraphs below a docstring's first line."""
    found = []
    for block in introduction.split("\n\n")[1:]:
        heading, _, text = " ".join(block.split()).partition(": ")
        found.append((heading, text) if text else ("", heading))
    return found
