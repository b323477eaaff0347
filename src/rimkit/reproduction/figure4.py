"""Figure 4: one image downscaled by a factor of three, and upscaled again."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from rimkit import plot
from rimkit.evaluation import published
from rimkit.evaluation.quality import Quality
from rimkit.evaluation.super_resolution import Pair, bicubic, load_pairs, score_luma
from rimkit.operators import Window
from rimkit.pixels import Bytes, to_unit
from rimkit.reproduction.setup import Setup, check_names
from rimkit.reproduction.super_resolution_methods import interpolation, machines
from rimkit.sheets import columns

_SCALE = 3.0
_SIDE = 96  # of the detail, in pixels


def figure4(setup: Setup) -> str:
    """Draw one image at scale 3, bicubic, restored and true; the paper does not name its own."""
    name = example(setup.images or 100)
    (pair,) = (pair for pair in load_pairs(_SCALE) if pair.image == name)
    methods = [interpolation(), *machines(setup)]
    check_names(method.name for method in methods)
    estimates = {method.name: method.restore(pair) for method in methods}
    scores = {method: score_luma(estimate, pair) for method, estimate in estimates.items()}
    figure = _drawn(pair, estimates, scores)
    setup.save(figure, "figure4.png")
    theirs = published.super_resolution_images()
    lines = [["", "PSNR in dB", "SSIM"]]
    lines += [[method, f"{psnr:.2f}", f"{ssim:.4f}"] for method, (psnr, ssim) in scores.items()]
    for method in published.IMAGE_BY_IMAGE:
        psnr, ssim = theirs[method, _SCALE, name]
        lines.append([f"{method}, published", f"{psnr:.2f}", f"{ssim:.4f}"])
    return setup.write(
        "figure4.txt",
        f"Test image {name} at scale {_SCALE:g}, scored as in Table 3; the image of the paper's\n"
        "figure is not named. This is the one on which SelfExSR, published, gains most over\n"
        "bicubic. The detail is where bicubic is furthest from the truth.\n\n"
        + columns(lines)
        + "\n",
    )


def example(count: int) -> str:
    """Name of the image shown, chosen by published scores alone: where SelfExSR gains most."""
    theirs = published.super_resolution_images()
    return max(
        (pair.image for pair in load_pairs(_SCALE, count)),
        key=lambda image: (
            theirs["SelfExSR", _SCALE, image].psnr - theirs["Bicubic", _SCALE, image].psnr
        ),
    )


def _drawn(pair: Pair, estimates: dict[str, Bytes], scores: dict[str, Quality]) -> Figure:
    """Draw a detail of each, with the scores of the whole image."""
    pictures = {
        f"{name}\n{scores[name][0]:.2f} dB / {scores[name][1]:.4f}": to_unit(estimate)[None]
        for name, estimate in estimates.items()
    }
    pictures["truth\n"] = truth = to_unit(pair.truth)[None]
    window = detail(to_unit(bicubic(pair))[None], truth)
    return plot.compare({title: x[..., *window] for title, x in pictures.items()})


def detail(x: Tensor, truth: Tensor) -> Window:
    """The square in which x (1, C, H, W) is furthest from the truth."""
    error = (x - truth).square().sum(1, keepdim=True)
    means = F.avg_pool2d(error, _SIDE, stride=1)[0, 0]
    top, left = torch.unravel_index(means.argmax(), means.shape)
    return slice(int(top), int(top) + _SIDE), slice(int(left), int(left) + _SIDE)
