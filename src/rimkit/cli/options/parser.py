"""The parser that all commands share."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Parses a command's options; parsers of commands are of the same class."""

    _given: Sequence[str] = ()

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse arguments, which must all be known: each command reports its own unknown ones."""
        self._given = sys.argv[1:] if args is None else args
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            name = unknown[0].partition("=")[0]
            close = difflib.get_close_matches(name, self._option_string_actions, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            if name == "--import":
                hint = "; it goes before the command"
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and exit with 2."""
        for word in self._given:
            if word.startswith("-") and os.path.lexists(word):
                message += f"; {word} was read as an option: write ./{word} for the file"
        self.exit(2, f"rimkit: {message} (see {self.prog} --help)\n")


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Parser]  # the type has no public name
