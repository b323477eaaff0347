"""Downscale a photograph by a factor of three, and restore it.

The model knows one way of downscaling: bicubic and antialiased. What happens to images that were
downscaled in other ways is shown, too. Prints PSNR next to that of bicubic interpolation; writes
demo/super-resolve.png. The photograph ships with scikit-image.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage import data
from torch import Tensor

import rimkit
from rimkit import plot

SCALE = 3
KNOWN = "bicubic, antialiased"


def to_tensor(image: np.ndarray) -> Tensor:
    """Convert 8-bit (H, W, 3) to (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(image.astype(np.float32) / 255).movedim(-1, 0)[None]


def smaller(photograph: np.ndarray, problem: rimkit.Problem) -> Iterator[tuple[str, Tensor]]:
    """Yield the small image, rounded to 8 bits, for each way of downscaling."""
    y = (problem.operator.A(to_tensor(photograph)).clamp(0, 1) * 255).round() / 255
    yield KNOWN, y
    image = Image.fromarray((y[0].movedim(0, -1) * 255).round().byte().numpy())
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=75)
    yield "the same, as JPEG of quality 75", to_tensor(np.asarray(Image.open(file)))
    small = Image.fromarray(photograph).resize(image.size, Image.Resampling.BOX)
    yield "means of 3x3 pixels", to_tensor(np.asarray(small))
    yield "every third pixel", to_tensor(photograph[1::SCALE, 1::SCALE])


def main() -> None:
    photograph = data.astronaut()[:240, 100:340]
    truth = to_tensor(photograph)
    problem = rimkit.SuperResolution(SCALE)  # its noise is that of rounding to 8 bits
    model = rimkit.load("super-resolution")

    print(f"{'made smaller by':<34}{'bicubic':>8}{'rimkit':>8}  dB")
    for way, y in smaller(photograph, problem):
        results = {"bicubic": problem.initial(y), "rimkit": model.solve(y, problem).x}
        bicubic, ours = (rimkit.psnr(x, truth).item() for x in results.values())
        print(f"{way:<34}{bicubic:8.2f}{ours:8.2f}")
        if way == KNOWN:
            figure = plot.compare({"small": y, **results}, truth=truth)

    folder = Path("demo")
    folder.mkdir(exist_ok=True)
    figure.savefig(folder / "super-resolve.png")


if __name__ == "__main__":
    main()
