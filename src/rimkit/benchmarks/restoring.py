"""What restoring costs: megapixels per second, and memory and time against image size.

Run as a module, this is the command line, and it prints its peak memory, in bytes.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from rimkit import baselines, weights
from rimkit.allocation import peak
from rimkit.precision import Precision
from rimkit.problem import Denoising
from rimkit.restoring.denoiser import Denoiser, Noisy
from rimkit.restoring.tiling import plan, reach, solve_tiled
from rimkit.rim import RIM
from rimkit.tasks import DenoisingTask
from rimkit.trained import task_name

SIGMA = 25 / 255
_MEMORY = {"all at once": 8e9, "500 MB": 5e8, "150 MB": 1.5e8}


@dataclasses.dataclass(frozen=True)
class Speed:
    """How fast a method is on one image.

    Attributes
    ----------
    method, way
        What ran; and in which precision or runtime, with how much memory.
    threads
        Number of threads of torch.
    megapixels
        Of the image.
    seconds
        Shortest time over the rounds.
    """

    method: str
    way: str
    threads: int
    megapixels: float
    seconds: float

    @property
    def per_second(self) -> float:
        """Megapixels of the image per second: where tiles overlap, nothing is counted twice."""
        return self.megapixels / self.seconds


@dataclasses.dataclass(frozen=True)
class Size:
    """What ``rimkit restore`` took for a file.

    Attributes
    ----------
    megapixels
        Of the restored image, of 8 bits.
    peak
        Peak memory of the process, in bytes.
    seconds
        From start to end.
    """

    megapixels: float
    peak: float
    seconds: float


def measure_speed(
    *,
    rounds: int,
    precisions: Sequence[Precision],
    say: Callable[[str], None],
    side: int = 1024,
) -> Iterator[Speed]:
    """Time all denoisers in the package, and other methods that are installed, side by side.

    Colour denoisers restore a colour image, all others a grey one. If onnxruntime is installed, the
    models are timed in it, too: "onnx", in float32.
    """
    y = noisy_image(side, side).astype(np.float32) / np.float32(255)
    megapixels = side**2 / 1e6
    most = torch.get_num_threads()
    for threads in sorted({1, most}):
        torch.set_num_threads(threads)
        for name in filter(_denoises, weights.model_names()):
            model = weights.load(name)
            values = np.stack([y] * model.config.network.channels, axis=-1)
            denoisers: dict[str, Denoiser] = {
                precision: Denoiser(model, precision=precision) for precision in precisions
            }
            if importlib.util.find_spec("onnxruntime") is not None:
                denoisers["onnx"] = Denoiser(_in_onnxruntime(name))
            for way, memory in itertools.product(denoisers, _MEMORY):
                say(f"{name}, {way}, {memory}, {threads} threads")
                denoisers[way].memory = _MEMORY[memory]
                seconds = _shortest(_denoising(denoisers[way], values), rounds)
                yield Speed(name, f"{way}, {memory}", threads, megapixels, seconds)
    torch.set_num_threads(most)
    for name, method in baselines.installed().items():
        say(name)
        seconds = _shortest(_calling(method, y), min(rounds, 2))
        yield Speed(name, "float32", most, megapixels, seconds)


def measure_size(
    megapixels: float,
    *,
    memory: str,
    precision: str,
    runtime: str = "torch",
    scale: float | None = None,
) -> Size:
    """Restore a file in its own process, to a result of ``megapixels``. Linux only.

    If it is denoised, it is grey; if enlarged by ``scale``, in colour, which takes the most.
    """
    side = round((megapixels * 1e6) ** 0.5 / (scale or 1))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "noisy.png"
        image = noisy_image(side, side)
        image = image if scale is None else np.stack([image] * 3, axis=-1)
        Image.fromarray(image).save(source, compress_level=1)
        arguments = ["restore", str(source), "--memory", memory, "--precision", precision]
        arguments += ["--runtime", runtime, "--quiet"]
        arguments += ["--sigma", "25"] if scale is None else ["--scale", f"{scale:g}"]
        command = [sys.executable, "-m", __name__, *arguments]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        seconds = time.perf_counter() - began
    return Size(megapixels, float(done.stdout), seconds)


def tiled_difference(
    image: npt.NDArray[np.float32], *, pixels: int
) -> tuple[npt.NDArray[np.float32], Sequence[int], Sequence[int]]:
    """Tiled minus untiled estimate of an image (H, W), in grey levels, and where the seams are."""
    model = weights.load("denoise-gray")
    y = torch.from_numpy(image)[None, None]
    overlap = reach(model, SIGMA)
    problem = Denoising(SIGMA)
    whole = model.solve(y, problem).x
    tiled = solve_tiled(model, y, problem, pixels=pixels, overlap=overlap)
    kept = [tile.kept for tile in plan(*image.shape, pixels=pixels, overlap=overlap)]
    rows = sorted({rows.start for rows, _ in kept} - {0})
    columns = sorted({columns.start for _, columns in kept} - {0})
    return 255 * (tiled - whole)[0, 0].numpy(), rows, columns


def noisy_image(height: int, width: int) -> npt.NDArray[np.uint8]:
    """A bright ramp with noise, tiled from one square: made quickly and in little memory."""
    square = 512
    slope = np.add.outer(np.linspace(0, 100, square), np.linspace(50, 100, square))
    noise = np.random.default_rng(0).normal(0, 255 * SIGMA, slope.shape)
    values = np.rint((slope + noise).clip(0, 255)).astype(np.uint8)
    repeats = -(-height // square), -(-width // square)
    return np.tile(values, repeats)[:height, :width]


def _in_onnxruntime(name: str) -> RIM:
    from rimkit.onnx.cache import cached  # noqa: PLC0415
    from rimkit.onnx.runtime import load  # noqa: PLC0415

    return load(cached(name))


def _denoises(name: str) -> bool:
    return task_name(weights.load(name).training_record) == DenoisingTask.table_name


def _denoising(denoiser: Denoiser, y: npt.NDArray[np.float32]) -> Callable[[], object]:
    return lambda: denoiser.denoise([Noisy(y.copy(), SIGMA)])


def _calling(method: baselines.Denoise, y: npt.NDArray[np.float32]) -> Callable[[], object]:
    return lambda: method(y, SIGMA)


def _shortest(run: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    try:
        runpy.run_module("rimkit", run_name="__main__")
    finally:
        print(peak())  # noqa: T201
