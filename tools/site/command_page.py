"""The command-line page, generated from the parser that runs it."""

from __future__ import annotations

import argparse
import functools

from rimkit.cli.main import build_parser

INTRODUCTION = """# Command line

Written from the program itself: `rimkit COMMAND --help` says the same. Every command exits with 0
when it is done, with 1 when it failed, with 2 when its arguments are wrong and with 130 when it was
interrupted, and says why in one line.
"""


def page() -> str:
    """Return the page as Markdown: every command with its arguments and options."""
    parts = [INTRODUCTION]
    for name, parser, summary in commands(build_parser()):
        parts.append(f"## rimkit {name}\n")
        parts.append(f"{_sentence(parser.description or summary)}\n")
        parts.append(f"```text\n{_usage(parser)}\n```\n")
        parts += [_table(group) for group in parser._action_groups]
    return "\n".join(part for part in parts if part)


def commands(
    parser: argparse.ArgumentParser,
) -> list[tuple[str, argparse.ArgumentParser, str]]:
    """Every command: its name, its parser, and its one-line summary."""
    (group,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    summaries = {choice.dest: choice.help or "" for choice in group._choices_actions}
    return [(name, child, summaries[name]) for name, child in group.choices.items()]


def _usage(parser: argparse.ArgumentParser) -> str:
    parser.formatter_class = functools.partial(argparse.HelpFormatter, width=78)
    return parser.format_usage().removeprefix("usage: ").strip()


def _table(group: argparse._ArgumentGroup) -> str:
    actions = [action for action in group._group_actions if action.dest != "help"]
    if not actions:
        return ""
    known = {"positional arguments": "argument", "options": "option"}
    header = known.get(str(group.title), f"option of {group.title} alone")
    rows = [f"| {_written(action)} | {_help(action)} |" for action in actions]
    return "\n".join([f"| {header} | |", "| --- | --- |", *rows]) + "\n"


def _written(action: argparse.Action) -> str:
    """An argument as it is typed, with its value."""
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    takes = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    many = " ..." if action.nargs in ("+", "*") else ""
    return ", ".join(f"`{option}{takes}{many}`" for option in action.option_strings)


def _help(action: argparse.Action) -> str:
    parts = []
    if action.choices:
        parts.append(f"One of {', '.join(f'`{choice}`' for choice in action.choices)}.")
    if action.help:
        text = action.help % {**vars(action), "prog": "rimkit"}
        parts.append(_sentence(text.replace("|", "&#124;")))
    return " ".join(parts)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", ")")) or not text else f"{text}."
