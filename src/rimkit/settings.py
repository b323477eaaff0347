"""Frozen dataclasses from nested tables and back; an unknown or misspelt key is an error."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
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
        raise ValueError(f"{where} must be a table, got {table!r}")
    table_name = getattr(cls, "table_name", None)
    if table_name and "name" in table:
        if table["name"] != table_name:
            raise ValueError(f"{where}.name must be {table_name!r}, got {table['name']!r}")
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
    """Raise ``ValueError`` if a field of a dataclass has the wrong type, as `from_table` does.

    Also for dataclasses built by hand: lists become tuples, and integers floats, if the type says
    so. Fields that hold dataclasses check themselves.
    """
    hints = typing.get_type_hints(type(value))
    for field in dataclasses.fields(value):
        item, hint, path = getattr(value, field.name), hints[field.name], f"{where}.{field.name}"
        if not (dataclasses.is_dataclass(hint) or field.metadata.get("table")):
            object.__setattr__(value, field.name, _convert(hint, item, path))
        elif not dataclasses.is_dataclass(item) or isinstance(item, type):
            raise ValueError(f"{path} must be a dataclass such as {hint.__name__}(), got {item!r}")
        elif not getattr(hint, "_is_protocol", False) and not isinstance(item, hint):
            raise ValueError(f"{path} must be of type {hint.__name__}, got {item!r}")


def to_table(value: Any) -> dict[str, Any]:
    """Turn a dataclass into a table that holds every field, defaults included."""
    table = {}
    for field in dataclasses.fields(value):
        table[field.name] = _plain(getattr(value, field.name))
    name = getattr(type(value), "table_name", None)
    return {"name": name, **table} if name else table


def _plain(item: Any) -> Any:
    """A value in the types of TOML and JSON."""
    if isinstance(item, list | tuple):
        return [_plain(each) for each in item]
    return to_table(item) if dataclasses.is_dataclass(item) else item


def make_known(cls: type[Any], known: dict[str, type[Any]], *, kind: str) -> None:
    """Register a class under its ``table_name``, also when redefined in a notebook.

    Raises
    ------
    ValueError
        If another class has that name; the error names the ``kind`` of both.
    """
    name: str = cls.table_name
    other = known.get(name, cls)
    if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(
            f"a {kind} named {name!r} already exists: {other.__qualname__} of {other.__module__}"
        )
    known[name] = cls


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values of nested tables by their dotted keys, such as ``optimizer.rate``."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values


def toml_names(folder: Traversable) -> list[str]:
    """Names of the TOML files in a folder, without the suffix."""
    return sorted(
        item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")
    )


def read_toml(name: str, folder: Traversable) -> dict[str, Any]:
    """Read a TOML file: a name from the folder, or, if it ends in ``.toml``, a path.

    Raises
    ------
    ValueError
        If there is no such file, or it is not TOML.
    """
    known = toml_names(folder)
    if name in known:
        text = (folder / f"{name}.toml").read_text(encoding="utf-8")
    elif name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except OSError as error:
            raise ValueError(f"{name} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"{name} is not TOML, which must be UTF-8 text: {error}") from error
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
    if dataclasses.is_dataclass(kind):
        if isinstance(value, typing.cast("type[Any]", kind)):
            return value
        return from_table(typing.cast("type[Any]", kind), value, where=path)
    reader = _READERS.get(typing.get_origin(kind))
    if reader is not None:
        return reader(typing.get_args(kind), value, path)
    if not isinstance(kind, type):
        raise ValueError(
            f"{path} has the unsupported type {kind}: settings must be numbers, strings, their "
            "tuples, lists and dicts, Literal, None or dataclasses"
        )
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{path} must be of type {kind.__name__}, got {value!r}")
    return value


def _one_of(choices: tuple[Any, ...], value: Any, path: str) -> Any:
    if value not in choices:
        raise ValueError(f"{path} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def _any_of(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    for kind in kinds:
        with contextlib.suppress(ValueError):
            return _convert(kind, value, path)
    names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
    raise ValueError(f"{path} must be of type {names}, got {value!r}")


def _list(kinds: tuple[Any, ...], value: Any, path: str) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{path} must be a list, got {value!r}")
    return [_convert(kinds[0], item, f"{path}[{i}]") for i, item in enumerate(value)]


def _tuple(kinds: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if kinds[-1] is Ellipsis:
        return tuple(_list(kinds, value, path))
    if not isinstance(value, (list, tuple)) or len(value) != len(kinds):
        raise ValueError(f"{path} must be a list of {len(kinds)} values, got {value!r}")
    return tuple(
        _convert(k, v, f"{path}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True))
    )


def _dict(kinds: tuple[Any, ...], value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{path} must be a table, got {value!r}")
    return {str(key): _convert(kinds[1], item, f"{path}.{key}") for key, item in value.items()}


_READERS: dict[Any, Callable[[tuple[Any, ...], Any, str], Any]] = {
    typing.Literal: _one_of,
    typing.Union: _any_of,
    types.UnionType: _any_of,
    list: _list,
    tuple: _tuple,
    dict: _dict,
}
