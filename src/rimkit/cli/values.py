"""Values of options, parsed from text; invalid text is an error of one line."""

from __future__ import annotations

import argparse
import ipaddress
import re
from pathlib import Path

_LARGEST_SIGMA = 1020  # four times white, as in `rimkit.problem`


def sigma(text: str) -> float | str:
    """Grey levels of 255, or ``auto``."""
    if text == "auto":
        return text
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= _LARGEST_SIGMA:
        raise argparse.ArgumentTypeError(
            f'sigma is a number from 0 to {_LARGEST_SIGMA} (grey levels of 255), or "auto", '
            f'got "{text}"'
        )
    return value


def path(text: str) -> Path:
    """A file or folder; refuses empty text (an unset variable), which means the current one."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


def written(text: str) -> Path:
    """A text file to write, which must not replace an image."""
    if text == "-":
        raise argparse.ArgumentTypeError("- is not a file: name one, or a pipe")
    from rimkit.data.images import SUFFIXES  # only here: --help need not wait for torch

    if (place := path(text)).suffix.lower() in SUFFIXES:
        raise argparse.ArgumentTypeError(
            f"{text}: this would be text, but the name is that of an image"
        )
    return place


def scale(text: str) -> float:
    """How many times larger, from 1 to 4."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 1 <= value <= 4:
        raise argparse.ArgumentTypeError(f'expected a scale from 1 to 4, got "{text}"')
    return value


def size(text: str) -> float:
    """Bytes, from text such as 800MB or 2GiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", text.strip(), re.IGNORECASE)
    if match is None or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(f'expected an amount such as 800MB or 2GB, got "{text}"')
    number, letter, binary = match.groups()
    base = 1024 if binary else 1000
    amount = float(number) * float(base ** " KMGT".index(letter.upper() or " "))
    if amount < 1e6:
        meant = "" if letter else f" (did you mean {number}MB?)"
        raise argparse.ArgumentTypeError(f'"{text}" is less than a megabyte{meant}')
    return amount


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a positive integer, got "{text}"')
    return int(text)


def test_images(text: str) -> int:
    """A number of test images, at most 100."""
    number = positive(text)
    if number > 100:
        raise argparse.ArgumentTypeError(f'there are only 100 test images, got "{text}"')
    return number


def port(text: str) -> int:
    """A TCP port; 0 is any that is free."""
    if not text.isdecimal() or not int(text) < 65536:
        raise argparse.ArgumentTypeError(f'expected a port from 0 to 65535, got "{text}"')
    return int(text)


def host_name(text: str) -> str:
    """A host name or address as a browser sends it, ``*.NAME`` for all below it, or ``*``."""
    label = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
    name = re.fullmatch(rf"\*|(?:\*\.)?{label}(?:\.{label})*", text)
    if name is None and not _is_address(text.removeprefix("[").removesuffix("]")):
        raise argparse.ArgumentTypeError(
            f'expected a host name without a port, such as rim.example.org, got "{text}"'
        )
    return text


def seconds(text: str) -> float:
    """A positive number of seconds."""
    return _duration(text, "seconds")


def minutes(text: str) -> float:
    """A positive number of minutes."""
    return _duration(text, "minutes")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _duration(text: str, unit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f'expected a positive number of {unit}, got "{text}"')
    return value
