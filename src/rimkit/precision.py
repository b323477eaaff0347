"""Precisions in which networks run, and which are worthwhile on this processor."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["float32", "bfloat16"]


def computing_in(precision: Precision, device: str = "cpu") -> torch.autocast:
    """Context in which networks run in a precision, on a device type (``device.type``)."""
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")


def fastest_precision() -> Precision:
    """Fastest precision for networks: bfloat16 if the processor multiplies in it."""
    return worthwhile_precisions()[-1]


def worthwhile_precisions() -> tuple[Precision, ...]:
    """Precisions worth using for networks: others are emulated, at a tenth of the speed."""
    return ("float32", "bfloat16") if computes_in_bfloat16() else ("float32",)


def slow(precision: str) -> str | None:
    """A warning if bfloat16 (or Lightning's name for it) is chosen but emulated here, else None."""
    if precision not in ("bfloat16", "bf16-mixed") or computes_in_bfloat16():
        return None
    return "this processor does not multiply in bfloat16: float32 is many times faster"


def computes_in_bfloat16() -> bool:
    """Whether the processor multiplies in bf16, and so runs networks faster in it."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16", False))


def default_precision(accelerator: str) -> str:
    """Training precision: ``"bf16-mixed"`` if the accelerator has bf16, else ``"32-true"``."""
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = computes_in_bfloat16()
    return "bf16-mixed" if fast else "32-true"
