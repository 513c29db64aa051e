"""`Parser`: argparse whose refusals are `UsageError` and suggest the near name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from overparam.cli.output import writing
from overparam.errors import UsageError, suggest


class Parser(argparse.ArgumentParser):
    """A parser of one command, or of a group of commands."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        # No abbreviations: `--s` would change its meaning with the next option.
        super().__init__(allow_abbrev=False, **settings)
        self.commands: dict[str, Parser] = {}

    def add_group(self, metavar: str) -> argparse._SubParsersAction[Parser]:
        """Make this a group of commands; return the action to which they are added."""
        group = self.add_subparsers(metavar=metavar, title="commands", parser_class=Parser)
        self.commands = group.choices  # type: ignore[assignment]
        return group

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise UsageError(message, remedy=f"see {self.prog} --help")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write help or version; argparse itself would say nothing of a disk that is full."""
        if file is None or file is not sys.stdout:
            super()._print_message(message, file)
            return
        with writing():
            file.write(message)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the parsed command line.

        Raises:
            UsageError: unknown command, option or value; the near one is suggested.
        """
        command = self._command_of(words)
        arguments, rest = self.parse_known_args(list(words))
        if rest:
            behind = words[words.index("--") :] if "--" in words else []
            option = next((w for w in rest if w.startswith("-") and w not in behind), None)
            if option is None:
                first = next((word for word in rest if word != "--"), "--")
                hint = "; options stand before --" if first in behind else ""
                command.error(f"one argument too many: {first!r}{hint}")
            name = option.partition("=")[0]
            raise UsageError(
                f"there is no such option of {command.prog}",
                got=name,
                remedy=suggest(name, command.option_names()) or f"see {command.prog} --help",
            )
        return arguments

    def option_names(self) -> list[str]:
        """Return the long options."""
        return [s for a in self._actions for s in a.option_strings if s.startswith("--")]

    def _command_of(self, words: Sequence[str]) -> Parser:
        """Return the parser of the command that `words` name, checking the names on the way."""
        parser = self
        for word in words:
            if not parser.commands:
                break
            if word.startswith("-"):
                continue
            if word not in parser.commands:
                raise UsageError(
                    f"there is no such command of {parser.prog}",
                    got=word,
                    allowed=", ".join(parser.commands),
                    remedy=suggest(word, parser.commands),
                )
            parser = parser.commands[word]
        return parser


def examples(*lines: str) -> str:
    """Return the end of a help page: command lines to copy."""
    return "\n".join(["examples:", *(f"  {line}" for line in lines)])
