"""Figure 3: one image, noisy and restored."""

from __future__ import annotations

from rimkit import plot
from rimkit.data import bsds300
from rimkit.evaluation.denoising import Condition, noisy
from rimkit.evaluation.images import load_image
from rimkit.metrics import psnr
from rimkit.reproduction.denoising_methods import grey_methods
from rimkit.reproduction.setup import Setup, check_names
from rimkit.sheets import columns

_IMAGE = "253027"
_CONDITION = Condition(50.0, quantised=True)
_WINDOW = slice(60, 220), slice(150, 310)
_COLUMNS = 4
_PUBLISHED = {"EPLL": 25.68, "RIM": 25.91}


def figure3(setup: Setup) -> str:
    """Draw one image at sigma 50, quantised; the paper does not name its own."""
    (path,) = (path for path in bsds300.image_paths("test") if path.stem == _IMAGE)
    image = load_image(path, channels=1)
    y = noisy(image, _CONDITION)
    pictures = {"noisy": y}
    methods = grey_methods(setup)
    check_names(method.name for method in methods)
    for method in methods:
        pictures[method.name] = method.restore(y, _CONDITION)
    figure = plot.compare(pictures, truth=image.x, window=_WINDOW, columns=_COLUMNS)
    setup.save(figure, "figure3.png")
    found = {name: psnr(picture, image.x).item() for name, picture in pictures.items()}
    found |= {f"{name} in the paper": db for name, db in _PUBLISHED.items()}
    lines = [["", "PSNR in dB"], *([name, f"{db:.2f}"] for name, db in found.items())]
    return setup.write(
        "figure3.txt",
        f"Test image {_IMAGE} at sigma {_CONDITION.sigma:g}, clipped and rounded to 8 bits; the\n"
        "image of the paper's figure is not named, so its numbers are of another one. The picture\n"
        "shows a cut-out, the numbers are those of the whole image.\n\n" + columns(lines) + "\n",
    )
