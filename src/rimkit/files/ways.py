"""The ways of restoring pictures: denoising or filling in place, or enlarging."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

from rimkit.files.jobs import Job
from rimkit.files.marks import read_missing
from rimkit.files.metadata import resized
from rimkit.files.picture import Picture, check_format
from rimkit.pixels import LEVELS, Array
from rimkit.restoring.denoiser import Denoiser, Noisy, Sigma, noise_level, shares_noise
from rimkit.restoring.holes import Holed
from rimkit.restoring.inpainter import Inpainter
from rimkit.restoring.upscaler import Upscaler

_MOST = 0.9  # of the pixels: a file that marks more may not be a mask at all
BY_JPEG = "JPEG also changes what should stay as it is, if only slightly: use .png"
"""Warning about files that are encoded again."""
_UNITS = " (sigma is in grey levels of 255: 0.1, where white is 1, is 25)"
_VISIBLE = 1.0  # grey levels of noise up to which alpha is taken to be clean


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A picture that can be restored.

    Attributes
    ----------
    picture
        As it was read.
    noisy
        Views of it: the colours, then alpha if it is to be denoised, too.
    warnings
        What the user should know about it.
    missing
        (H, W), booleans: where it has holes.
    shares_noise
        Whether its channels are denoised one by one, because they share their noise.
    unchanged
        Whether nothing needs to be done to it.
    """

    picture: Picture
    noisy: tuple[Noisy, ...]
    warnings: tuple[str, ...] = ()
    missing: Array | None = None
    shares_noise: bool = False
    unchanged: bool = False

    @property
    def missing_share(self) -> float | None:
        """Fraction of its pixels; None if none can be missing."""
        return None if self.missing is None else float(self.missing.mean())


@dataclasses.dataclass(frozen=True)
class Denoisers:
    """A denoiser for grey images, including alpha, and one for colour."""

    grey: Denoiser
    colour: Denoiser

    def of(self, values: Array, *, one_by_one: bool = False) -> Denoiser:
        """Return the denoiser for an image (H, W, C), or for its channels one by one."""
        return self.grey if one_by_one or values.shape[2] == 1 else self.colour


Restores = Denoiser | Denoisers | Inpainter | Upscaler


class Way(Protocol):
    """How pictures are restored."""

    def prepare(self, picture: Picture, sigma: Sigma, job: Job) -> Prepared:
        """Check up front that a picture can be restored, and its result written.

        Raises
        ------
        ValueError
            If not.
        """
        ...

    def capacity(self, prepared: Prepared) -> int:
        """How many like this one fit into memory at once; 0: it must be tiled."""
        ...

    def restore(
        self, prepared: Sequence[Prepared], *, on_progress: Callable[[float], object]
    ) -> list[Picture]:
        """Restore pictures of one shape."""
        ...


def way_of(restorer: Restores) -> Way:
    """Return the way in which a restorer treats pictures."""
    if isinstance(restorer, Inpainter):
        return _Filled(restorer)
    if isinstance(restorer, Upscaler):
        return _Larger(restorer)
    return _Clean(Denoisers(restorer, restorer) if isinstance(restorer, Denoiser) else restorer)


def noisy_parts(picture: Picture, sigma: Sigma) -> tuple[Noisy, ...]:
    """Parts of a picture to denoise: its colours, and alpha unless it is clean, as it mostly is.

    Raises
    ------
    ValueError
        If the picture cannot be denoised, or sigma is invalid.
    """
    colours = Noisy(picture.colours, noise_level(picture.colours, sigma))
    if (
        picture.alpha is None
        or sigma == 0
        or (level := noise_level(picture.alpha)) * LEVELS <= _VISIBLE
    ):
        return (colours,)
    return colours, Noisy(picture.alpha, level)


@dataclasses.dataclass(frozen=True)
class _Clean:
    """Denoises pictures in place."""

    denoisers: Denoisers

    def prepare(self, picture: Picture, sigma: Sigma, job: Job) -> Prepared:
        noisy = noisy_parts(picture, sigma)
        check_format(picture, job.target)
        colours, *alpha = noisy
        shared = shares_noise(colours.values, colours.sigma)
        denoiser = self.denoisers.of(colours.values, one_by_one=shared)
        denoiser.capacity(colours.values)  # raises for what the model cannot take
        for part in alpha:
            try:
                self.denoisers.of(part.values).capacity(part.values)
            except ValueError as error:
                raise ValueError(
                    f"its transparency is noisy, too, and needs a grey model: {error}"
                ) from error
        warnings = []
        least = denoiser.least_sigma
        if shared and denoiser.channels > 1:
            warnings.append(
                "its channels share their noise, most of which a colour model keeps: a grey one, "
                "such as denoise-gray, removes it from each channel"
            )
        is_channelwise = denoiser.channels == 1 < colours.values.shape[2]
        if is_channelwise and not shared and 0 < colours.sigma >= least:
            warnings.append(
                "a grey model sees each channel alone: a colour one, such as denoise-color, "
                "removes more of the noise if it differs between channels"
            )
        if sigma == "auto" and colours.sigma == 0:
            warnings.append("no noise was found in it; it stays as it is (override with --sigma)")
        if 0 < colours.sigma < least:
            warnings.append(
                f"its noise, sigma {colours.sigma * LEVELS:.3g}, is less than the model can "
                f"remove ({least * LEVELS:.3g}); it stays as it is"
                + (_UNITS if sigma != "auto" and colours.sigma * LEVELS < 1 else "")
            )
        return Prepared(
            picture,
            noisy,
            tuple(warnings),
            shares_noise=shared and denoiser.channels == 1,
            unchanged=not alpha and (colours.sigma == 0 or colours.sigma < least),
        )

    def capacity(self, prepared: Prepared) -> int:
        return self._denoiser(prepared).capacity(prepared.picture.colours)

    def restore(
        self, prepared: Sequence[Prepared], *, on_progress: Callable[[float], object]
    ) -> list[Picture]:
        colours = [each.noisy[0] for each in prepared]
        alphas = [alpha for each in prepared for alpha in each.noisy[1:]]
        channels = [part.values.shape[2] for part in (*colours, *alphas)]
        share = sum(channels[: len(colours)]) / sum(channels)
        self._denoiser(prepared[0]).denoise(
            colours, on_progress=lambda done: on_progress(share * done)
        )
        if alphas:
            self.denoisers.of(alphas[0].values).denoise(
                alphas, on_progress=lambda done: on_progress(share + (1 - share) * done)
            )
        return [each.picture for each in prepared]

    def _denoiser(self, prepared: Prepared) -> Denoiser:
        return self.denoisers.of(prepared.picture.colours, one_by_one=prepared.shares_noise)


@dataclasses.dataclass(frozen=True)
class _Filled:
    """Fills missing pixels in place; alpha is kept. Sigma is the inpainter's own.

    Colours that are hidden under full transparency are not shown to the model, and are kept.
    """

    inpainter: Inpainter

    def prepare(self, picture: Picture, sigma: Sigma, job: Job) -> Prepared:
        if job.marks is None:
            raise ValueError("nothing says which pixels are missing")
        missing = read_missing(job.marks, picture)
        self.inpainter.check(_holed(picture, missing))
        kind = check_format(picture, job.target)
        warnings = []
        if not missing.any():
            warnings.append(f"{job.marks} marks no pixel: white means missing")
        if missing.mean() > _MOST:
            warnings.append(f"{job.marks} marks {missing.mean():.0%} of the pixels as missing")
        if kind == "JPEG" and self.inpainter.keeps:
            warnings.append(BY_JPEG)
        noisy = (Noisy(picture.colours, self.inpainter.sigma),)
        return Prepared(picture, noisy, tuple(warnings), missing)

    def capacity(self, prepared: Prepared) -> int:
        return self.inpainter.capacity(prepared.picture.colours)

    def restore(
        self, prepared: Sequence[Prepared], *, on_progress: Callable[[float], object]
    ) -> list[Picture]:
        pictures = [each.picture for each in prepared]
        hidden = [None if p.hidden is None else p.colours[p.hidden] for p in pictures]
        self.inpainter.fill(
            [_holed(p.picture, p.missing) for p in prepared if p.missing is not None],
            on_progress=on_progress,
        )
        for picture, colours in zip(pictures, hidden, strict=True):
            if colours is not None:
                picture.colours[picture.hidden] = colours
        return pictures


@dataclasses.dataclass(frozen=True)
class _Larger:
    """Enlarges pictures. Sigma is the upscaler's own."""

    upscaler: Upscaler

    def prepare(self, picture: Picture, sigma: Sigma, job: Job) -> Prepared:
        self.upscaler.check(picture.values)
        check_format(picture, job.target, size=self.upscaler.size(picture.values))
        return Prepared(picture, (Noisy(picture.colours, self.upscaler.sigma),))

    def capacity(self, prepared: Prepared) -> int:
        return self.upscaler.capacity(prepared.picture.values)

    def restore(
        self, prepared: Sequence[Prepared], *, on_progress: Callable[[float], object]
    ) -> list[Picture]:
        pictures = [each.picture for each in prepared]
        larger = self.upscaler.upscale([p.values for p in pictures], on_progress=on_progress)
        return [
            Picture(values, resized(picture.metadata, *values.shape[:2]))
            for picture, values in zip(pictures, larger, strict=True)
        ]


def _holed(picture: Picture, missing: Array) -> Holed:
    """A picture with its holes, fully transparent pixels included."""
    unseen = missing if picture.hidden is None else missing | picture.hidden
    return Holed(picture.colours, unseen)
