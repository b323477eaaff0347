"""Add noise to a photograph, restore it, and compare: prints a table, writes demo/demo.png.

The photograph ships with scikit-image; sigma is 25 of 255 grey levels.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from skimage import data

import rimkit
from rimkit import baselines, plot

SIGMA = 25 / 255
OUTPUT = Path("demo")
CUT_OUT = (slice(60, 260), slice(150, 350))

TV_WEIGHT = 7.0  # chosen on held-out training images of BSDS300 by benchmarks/tune_baselines.py


def main() -> None:
    truth = torch.from_numpy(data.camera().astype(np.float32) / 255)[None, None]
    problem = rimkit.Denoising(sigma=SIGMA)
    y = problem.simulate(truth, generator=torch.Generator().manual_seed(0))

    model = rimkit.load("denoise-gray")
    total_variation = rimkit.TotalVariation(weight=TV_WEIGHT)
    non_local_means = baselines.installed()["non-local means"]
    methods: dict[str, Callable[[], torch.Tensor]] = {
        "total variation": lambda: total_variation.solve(y, problem).x,
        "non-local means": lambda: torch.from_numpy(non_local_means(y[0, 0].numpy(), SIGMA))[
            None, None
        ],
        "rimkit denoise-gray": lambda: model.solve(y, problem).x,
    }
    print(f"{'':<22}{'PSNR dB':>8}{'SSIM':>8}{'seconds':>9}")
    print(f"{'noisy':<22}{rimkit.psnr(y, truth).item():8.2f}{rimkit.ssim(y, truth).item():8.3f}")
    scores = {}
    for name, restore in methods.items():
        began = time.perf_counter()
        x = restore()
        seconds = time.perf_counter() - began
        scores[name] = rimkit.psnr(x, truth).item()
        print(f"{name:<22}{scores[name]:8.2f}{rimkit.ssim(x, truth).item():8.3f}{seconds:9.2f}")

    del scores["rimkit denoise-gray"]  # drawn step by step
    solution = model.solve(y, problem, steps=3 * model.steps, keep=True)
    assert solution.trajectory is not None  # since keep=True
    figure = Figure(figsize=(11, 3.4), dpi=150, layout="constrained")
    *images, curve = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.35])
    shown = {"noisy": y, "restored": solution.trajectory[model.steps]}
    plot.compare(shown, truth=truth, window=CUT_OUT, axes=images)
    name = "recurrent inference machine"
    plot.progress(solution, truth=truth, others=scores, mark=model.steps, label=name, axes=curve)
    curve.set_xlabel(f"step (dotted: the model's own number, {model.steps})")
    OUTPUT.mkdir(exist_ok=True)
    figure.savefig(OUTPUT / "demo.png")
    print(f"\n{OUTPUT / 'demo.png'}")


if __name__ == "__main__":
    main()
