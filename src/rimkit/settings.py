"""Frozen dataclasses from nested tables and back; an unknown or misspelt key is an error."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import typing
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def from_table(cls: type[T], table: Mapping[str, Any], *, where: str = "settings") -> T:
    """Build a dataclass from a table (of TOML or JSON); keys left out keep their defaults.

    A field whose type is a dataclass takes a table; a field that has a ``table`` entry in its
    metadata is read by that function instead.

    Raises
    ------
    ValueError
        If a key is unknown, a value has the wrong type or a field without default is missing.
    """
    if not isinstance(table, Mapping):
        raise ValueError(f"{where} is a table, got {table!r}")
    table_name = getattr(cls, "table_name", None)
    if table_name and "name" in table:
        if table["name"] != table_name:
            raise ValueError(f"{where}.name is {table_name!r}, got {table['name']!r}")
        table = {key: value for key, value in table.items() if key != "name"}
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    unknown = [key for key in table if key not in fields]
    if unknown:
        raise ValueError(unknown_key(unknown[0], fields, where=where))
    hints = typing.get_type_hints(cls)
    values = {}
    for name, value in table.items():
        path = f"{where}.{name}"
        reader = fields[name].metadata.get("table")
        values[name] = reader(value) if reader else _convert(hints[name], value, path)
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from error


def check_types(value: Any, *, where: str) -> None:
    """Raise ``ValueError`` where a field of a dataclass is not of its type, as `from_table` does.

    For dataclasses that are built by hand, too. Fields that hold dataclasses check themselves.
    """
    hints = typing.get_type_hints(type(value))
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if not dataclasses.is_dataclass(item):
            _convert(hints[field.name], item, f"{where}.{field.name}")


def to_table(value: Any) -> dict[str, Any]:
    """Turn a dataclass into a table that holds every field, defaults included."""
    table = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if isinstance(item, tuple):
            item = list(item)
        table[field.name] = to_table(item) if dataclasses.is_dataclass(item) else item
    name = getattr(type(value), "table_name", None)
    return {"name": name, **table} if name else table


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values of nested tables by their whole keys, such as ``optimizer.rate``."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values


def toml_names(folder: Traversable) -> list[str]:
    """Names of the TOML files in a folder, without the ending."""
    return sorted(
        item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")
    )


def read_toml(name: str, folder: Traversable) -> dict[str, Any]:
    """Read a TOML file: a name from the folder, or, if it ends on ``.toml``, a path.

    Raises
    ------
    ValueError
        If there is none of that name, or it is not TOML.
    """
    known = toml_names(folder)
    if name in known:
        text = (folder / f"{name}.toml").read_text(encoding="utf-8")
    elif name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except OSError as error:
            raise ValueError(f"{name} cannot be read: {error.strerror}") from error
    else:
        raise ValueError(unknown_key(name, known, where=f"the list of {folder.name}"))
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name} is not TOML: {error}") from error


def unknown_key(key: str, known: Mapping[str, Any] | list[str], *, where: str) -> str:
    """Say that a key is unknown, and which one was probably meant."""
    close = difflib.get_close_matches(key, list(known), n=1)
    hint = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(sorted(known))}"
    return f'{where} has no "{key}"; {hint}'


def _convert(kind: Any, value: Any, path: str) -> Any:
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return from_table(typing.cast("type[Any]", kind), value, where=path)
    if origin is typing.Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            raise ValueError(f"{path} is one of {', '.join(map(repr, choices))}, got {value!r}")
        return value
    if origin is tuple:
        kinds = typing.get_args(kind)
        if kinds[-1] is Ellipsis:
            if not isinstance(value, (list, tuple)):
                raise ValueError(f"{path} is a list, got {value!r}")
            kinds = kinds[:1] * len(value)
        if not isinstance(value, (list, tuple)) or len(value) != len(kinds):
            raise ValueError(f"{path} is a list of {len(kinds)} values, got {value!r}")
        return tuple(
            _convert(k, v, f"{path}[{i}]")
            for i, (k, v) in enumerate(zip(kinds, value, strict=True))
        )
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ValueError(f"{path} is a table, got {value!r}")
        item = typing.get_args(kind)[1]
        return {str(key): _convert(item, entry, f"{path}.{key}") for key, entry in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{path} is of type {kind.__name__}, got {value!r}")
    return value
