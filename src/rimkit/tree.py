"""Frozen dataclasses of tensors as trees: move, slice, join, select and detach any of them.

The first dimension of a tensor leaf is the batch size N, or 1 if all samples share it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree

T = TypeVar("T")


def register(cls: type[T]) -> type[T]:
    """Make a frozen dataclass a tree whose children are its fields, in order.

    Rebuilding a tree sets the fields directly: the constructor has already validated and converted
    them. Two trees are equal if all tensors have the same shapes, types and values, and everything
    else is equal.
    """
    names = tuple(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]

    def flatten(value: T) -> tuple[list[Any], tuple[str, ...]]:
        return [getattr(value, name) for name in names], names

    def unflatten(children: Any, context: tuple[str, ...]) -> T:
        value = object.__new__(cls)
        for name, child in zip(context, children, strict=True):
            object.__setattr__(value, name, child)
        return value

    def equal(self: T, other: object) -> Any:
        if type(other) is not cls:
            return NotImplemented
        pairs = zip(flatten(self)[0], flatten(other)[0], strict=True)
        return all(_same(one, another) for one, another in pairs)

    def hashed(self: T) -> int:
        return hash((cls, *settings(self)))

    cls.__eq__ = equal  # type: ignore[method-assign,assignment]
    cls.__hash__ = hashed  # type: ignore[method-assign,assignment]
    _pytree.register_pytree_node(
        cls, flatten, unflatten, serialized_type_name=f"{cls.__module__}.{cls.__qualname__}"
    )
    return cls


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.device == other.device and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return not isinstance(one, Tensor) and not isinstance(other, Tensor) and bool(one == other)


def tensors(tree: Any) -> list[Tensor]:
    """All tensor leaves, in order."""
    return [leaf for leaf in _pytree.tree_leaves(tree) if isinstance(leaf, Tensor)]


def map_tensors(function: Callable[[Tensor], Tensor], tree: T) -> T:
    """Apply ``function`` to every tensor leaf; everything else stays as it is."""
    mapped: T = _pytree.tree_map_only(Tensor, function, tree)
    return mapped


def move(
    tree: T, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> T:
    """Move all tensors; real floating ones to ``dtype``, complex ones to its complex counterpart.

    Raises
    ------
    ValueError
        If a leaf is not a tensor but holds one that would not move: its class is not registered.
    """

    def stays(value: Tensor) -> bool:
        elsewhere = device is not None and value.device.type != torch.device(device).type
        return elsewhere or value.dtype != _type(value, dtype)

    for leaf in settings(tree):
        if any(map(stays, _held(leaf))):
            raise ValueError(
                f"the tensors of {type(leaf).__name__} would not be moved or converted: register "
                "the class with rimkit.tree.register"
            )

    return map_tensors(lambda leaf: leaf.to(device=device, dtype=_type(leaf, dtype)), tree)


def _type(leaf: Tensor, dtype: torch.dtype | None) -> torch.dtype:
    """The dtype a tensor is to have: integers and booleans keep theirs."""
    if dtype is None or not (leaf.is_floating_point() or leaf.is_complex()):
        return leaf.dtype
    return dtype.to_complex() if leaf.is_complex() else dtype


def _held(leaf: Any) -> Iterator[Tensor]:
    """Tensors that an object has as attributes, or a module as parameters and buffers."""
    yield from (v for v in getattr(leaf, "__dict__", {}).values() if isinstance(v, Tensor))
    if isinstance(leaf, torch.nn.Module):
        yield from leaf.parameters()
        yield from leaf.buffers()


def detach(tree: T) -> T:
    """Detach every tensor from its graph."""
    return map_tensors(Tensor.detach, tree)


def batch_size(tree: Any) -> int:
    """N: the largest leading size of any tensor leaf (1 if there is none)."""
    sizes = {leaf.shape[0] for leaf in tensors(tree) if leaf.ndim > 0}
    if len(sizes - {1}) > 1:
        raise ValueError(
            f"the first dimension of every leaf must be N or 1, got sizes {sorted(sizes)}"
        )
    return max(sizes, default=1)


def take(tree: T, index: Tensor | slice) -> T:
    """Keep the samples selected by ``index``: a slice, or a vector of integers or booleans.

    If all samples may share a whole problem, take from ``(y, problem)``: by itself the problem does
    not say how many samples there are.
    """
    size = batch_size(tree)

    def taken(leaf: Tensor) -> Tensor:
        return leaf[index] if leaf.ndim and leaf.shape[0] == size else leaf

    return map_tensors(taken, tree)


def join(trees: Sequence[T]) -> T:
    """Concatenate the samples of several trees of the same structure.

    Raises
    ------
    ValueError
        If there are no trees, or structures, settings or sizes differ.
    """
    if not trees:
        raise ValueError("there is no tree to join")
    sizes = [batch_size(tree) for tree in trees]
    leaves, specs = zip(*(_pytree.tree_flatten(tree) for tree in trees), strict=True)
    if any(spec != specs[0] for spec in specs):
        raise ValueError("only trees of the same structure can be joined, but these differ")
    joined = [_join_leaf(parts, sizes) for parts in zip(*leaves, strict=True)]
    result: T = _pytree.tree_unflatten(joined, specs[0])
    return result


def kind(tree: Any) -> str:
    """Key shared by trees whose samples can be joined: structure, shapes and settings."""
    leaves, spec = _pytree.tree_flatten(tree)
    shared = [
        (tuple(leaf.shape[1:]), str(leaf.dtype)) if isinstance(leaf, Tensor) else leaf
        for leaf in leaves
    ]
    return f"{spec} {shared}"


def settings(tree: Any) -> list[Any]:
    """All leaves that are not tensors, in order."""
    return [leaf for leaf in _pytree.tree_leaves(tree) if not isinstance(leaf, Tensor)]


def _join_leaf(parts: tuple[Any, ...], sizes: list[int]) -> Any:
    if len({isinstance(part, Tensor) for part in parts}) > 1:
        raise ValueError(
            "only trees with equal settings can be joined, but one is a number in one tree and a "
            f"tensor in another, got {parts}: use a tensor (1,) beside tensors (N,)"
        )
    if not isinstance(parts[0], Tensor):
        if any(part != parts[0] for part in parts):
            raise ValueError(f"only trees with equal settings can be joined, got {parts}")
        return parts[0]
    if parts[0].ndim == 0:
        parts = tuple(part[None] for part in parts)
    expanded = [
        part if part.shape[0] == size else part.expand(size, *part.shape[1:])
        for part, size in zip(parts, sizes, strict=True)
    ]
    return torch.cat(expanded)


def select(mask: Tensor, chosen: T, other: T) -> T:
    """Per sample: ``chosen`` where ``mask`` (N,) is true, ``other`` elsewhere."""

    def pick(a: Any, b: Any) -> Any:
        if not isinstance(a, Tensor) or a.ndim == 0:
            return a
        return torch.where(mask.view(-1, *(1,) * (a.ndim - 1)), a, b)

    picked: T = _pytree.tree_map(pick, chosen, other)
    return picked


def per_sample(value: Tensor | float, like: Tensor) -> Tensor | float:
    """Shape one number per sample, (N,) or (1,), or one for all, to multiply ``like`` (N, ...)."""
    if not isinstance(value, Tensor):
        return value
    if value.ndim and value.shape[0] not in (1, like.shape[0]):
        raise ValueError(
            f"there are values for {value.shape[0]} samples, but {like.shape[0]} samples in shape "
            f"{tuple(like.shape)}"
        )
    dtype = like.real.dtype if like.is_complex() else like.dtype
    return value.to(device=like.device, dtype=dtype).view(-1, *(1,) * (like.ndim - 1))
