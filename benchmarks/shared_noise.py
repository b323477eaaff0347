"""Whether the noise of a colour image is shared by its channels, and which model removes it.

On the central 256x256 pixels of held-out training images of BSDS300: noise is added, and the image
is stored as it is, as JPEG with and without colours at half the resolution, or as grey in three
channels. Prints `rimkit.estimation.noise_apart` (least, median, most), and the mean PSNR of the
model's input, of `denoise-color`, and of `denoise-gray` on each channel.
Run: python benchmarks/shared_noise.py
"""

import io
import statistics
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

import rimkit
from rimkit.data.images import bytes_to_unit, load_bytes
from rimkit.data.splits import held_out_paths
from rimkit.estimation import noise_apart
from rimkit.metrics import psnr
from rimkit.provenance import stamp

Bytes = npt.NDArray[np.uint8]

MODELS = ("denoise-color", "denoise-gray")
SIGMAS = (3, 10, 25)


def as_jpeg(values: Bytes, *, subsampling: str, quality: int) -> Bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file))


def as_grey(values: Bytes) -> Bytes:
    return np.repeat(values[..., :1], 3, axis=2)


KINDS: dict[str, Callable[[Bytes], Bytes]] = {
    "as it is": lambda values: values,
    "JPEG 4:4:4, quality 95": lambda values: as_jpeg(values, subsampling="4:4:4", quality=95),
    "JPEG 4:2:0, quality 95": lambda values: as_jpeg(values, subsampling="4:2:0", quality=95),
    "JPEG 4:2:0, quality 85": lambda values: as_jpeg(values, subsampling="4:2:0", quality=85),
    "one channel thrice": as_grey,
}


def middle(values: Bytes) -> Bytes:
    height, width = values.shape[:2]
    top, left = (height - 256) // 2, (width - 256) // 2
    return values[top : top + 256, left : left + 256]


def batch(values: Bytes) -> Tensor:
    return bytes_to_unit(values.transpose(2, 0, 1)[None])


def main() -> None:
    held_out = held_out_paths()
    images = [middle(load_bytes(path, channels=3).transpose(1, 2, 0)) for path in held_out]
    print(f"{stamp()}\n\n{len(images)} images")
    heads = ("least", "median", "most", "noisy", *MODELS)
    print(f"{'':<32}" + "".join(f"{head:>15}" for head in heads))
    for kind, stored in KINDS.items():
        for sigma in SIGMAS:
            random = np.random.default_rng(0)
            apart, scores = [], []
            for clean in images:
                noisy = clean + random.normal(0, sigma, clean.shape)
                y = stored(noisy.round().clip(0, 255).astype(np.uint8))
                truth = as_grey(clean) if stored is as_grey else clean
                apart.append(noise_apart(batch(y)).item())
                found = [y, *(rimkit.restore(y, model=model) for model in MODELS)]
                scores.append([psnr(batch(each), batch(truth)).item() for each in found])
            values = (min(apart), statistics.median(apart), max(apart))
            means = [statistics.mean(column) for column in zip(*scores, strict=True)]
            name = f"{kind}, sigma {sigma}"
            line = "".join(f"{value:>15.2f}" for value in (*values, *means))
            print(f"{name:<32}{line}", flush=True)


if __name__ == "__main__":
    main()
