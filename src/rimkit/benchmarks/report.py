"""What the benchmarks measured, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rimkit.benchmarks.restoring import Size, Speed
from rimkit.benchmarks.throughput import Throughput
from rimkit.benchmarks.updates import UpdateTime
from rimkit.precision import Precision


def throughput_text(results: Sequence[Throughput]) -> str:
    """One row for every network and way."""
    lines = [
        f"{'network':<10}{'batch':>12}{'steps':>6}  {'way':<20}{'s':>8}{'patch-steps/s':>15}"
        f"{'GFLOP/s':>9}{'of convolutions':>17}{'x plain':>9}"
    ]
    for result in results:
        load = result.workload
        batch = f"{load.batch} of {load.patch}x{load.patch}"
        lines.append(
            f"{load.network:<10}{batch:>12}{load.steps:>6}  {result.way:<20}"
            f"{result.seconds:>8.3f}{result.patch_steps:>15.1f}{result.gflops:>9.0f}"
            f"{result.share:>16.0%} {result.speedup:>9.2f}"
        )
    lines += [
        "GFLOP/s: of the convolutions, counted the usual way. Of convolutions: time that they take",
        "alone at this precision, the usual way; over 100 % where fewer products do the same.",
    ]
    return "\n".join(lines) + "\n"


def update_text(name: str, update: UpdateTime) -> str:
    """Where the time of an update goes."""
    parts = {
        "patches": update.patches,
        "measurements, machine, loss": update.forward,
        "gradient": update.backward,
        "clipping, optimiser": update.optimizer,
    }
    lines = [f"an update of {name}: {1000 * update.total:.0f} ms"]
    lines += [
        f"  {part:<30}{1000 * seconds:>7.1f} ms{seconds / update.total:>7.1%}"
        for part, seconds in parts.items()
    ]
    return "\n".join(lines) + "\n"


def memory_text(
    network: str, precision: Precision, peaks: Mapping[tuple[int | None, int], float]
) -> str:
    """Peak memory by segment (rows) and steps (columns)."""
    steps = sorted({number for _, number in peaks})
    lines = [
        f"{network}, {precision}, batch 32 of 32x32:",
        "peak memory of an update above the idle process, in MB",
        f"{'':<26}" + "".join(f"{f'{number} steps':>12}" for number in steps),
    ]
    for segment in dict.fromkeys(segment for segment, _ in peaks):
        name = "all steps kept" if segment is None else f"segments of {segment} steps"
        row = "".join(f"{peaks[segment, number]:>12.0f}" for number in steps)
        lines.append(f"{name:<26}{row}")
    return "\n".join(lines) + "\n"


def speed_text(speeds: Sequence[Speed]) -> str:
    """One row for every method and way."""
    lines = [f"{'one megapixel':<20}{'way':<24}{'threads':>8}{'s':>8}{'megapixels/s':>14}"]
    lines += [
        f"{speed.method:<20}{speed.way:<24}{speed.threads:>8}{speed.seconds:>8.2f}"
        f"{speed.per_second:>14.2f}"
        for speed in speeds
    ]
    return "\n".join(lines) + "\n"


def size_text(title: str, sizes: Sequence[Size]) -> str:
    """One row for every size of image."""
    lines = [title, f"{'megapixels':>10}{'peak MB':>10}{'s':>8}{'s a megapixel':>15}"]
    lines += [
        f"{size.megapixels:>10g}{size.peak / 1e6:>10.0f}{size.seconds:>8.1f}"
        f"{size.seconds / size.megapixels:>15.2f}"
        for size in sizes
    ]
    return "\n".join(lines) + "\n"
