"""Write on a photograph and scratch it, then fill in what that hides.

Prints PSNR next to that of the first guess and of total variation; writes demo/fill-in.png, and
demo/damaged.png and demo/mask.png for

    rimkit restore demo/damaged.png --missing demo/mask.png

The photograph ships with scikit-image.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from skimage import data
from torch import Tensor

import rimkit
from rimkit import plot

SIGMA = 2 / 255  # for total variation, which needs some noise


def to_tensor(image: np.ndarray) -> Tensor:
    """Convert 8-bit (H, W, 3) to (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(image.astype(np.float32) / 255).movedim(-1, 0)[None]


def damaged(size: tuple[int, int]) -> np.ndarray:
    """A boolean mask (H, W): True under some text and some scratches."""
    drawing = Image.new("1", size[::-1])
    pen = ImageDraw.Draw(drawing)
    font = ImageFont.load_default(22)
    for line in range(3):
        pen.text((12, 20 + 80 * line), "do not write here", fill=1, font=font)
    for x, width in ((30, 1), (95, 3), (160, 2), (215, 5)):
        pen.line((x, 0, x + 20, size[0]), fill=1, width=width)
    return np.array(drawing)


def main() -> None:
    photograph = data.astronaut()[:240, 100:340]
    missing = damaged(photograph.shape[:2])
    spoilt = photograph.copy()
    spoilt[missing] = 255

    mask = rimkit.Mask(torch.from_numpy(~missing)[None, None].float())
    problem = rimkit.Problem(mask, rimkit.GaussianNoise(SIGMA))
    truth = to_tensor(photograph)
    y = mask.A(truth)
    smooth = rimkit.TotalVariation(weight=90.0, steps=100).solve(y, problem).x
    results = {
        "spoilt": to_tensor(spoilt),
        "first guess": problem.initial(y),
        "total variation": torch.where(mask.mask > 0, y, smooth),
        "inpainting": to_tensor(rimkit.restore(spoilt, missing=missing)),
    }
    print(f"{missing.mean():.1%} of the pixels are missing")
    for name, x in results.items():
        print(f"{name:<16}{rimkit.psnr(x, truth).item():6.2f} dB")

    folder = Path("demo")
    folder.mkdir(exist_ok=True)
    plot.compare(results, truth=truth).savefig(folder / "fill-in.png")
    Image.fromarray(spoilt).save(folder / "damaged.png")
    Image.fromarray(missing).save(folder / "mask.png")


if __name__ == "__main__":
    main()
