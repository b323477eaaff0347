"""The parser that all commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn


class Parser(argparse.ArgumentParser):
    """Parses a command's options; parsers of commands are of the same class."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and exit with 2."""
        self.exit(2, f"rimkit: {message} (see {self.prog} --help)\n")


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Parser]  # the type has no public name
