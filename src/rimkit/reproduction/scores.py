"""Scores of denoisers, image by image: measured once and kept in a file of results."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from rimkit.evaluation.denoising import Condition, ImageScore, Restore, score_denoising
from rimkit.evaluation.images import CleanImage
from rimkit.reproduction.kept import Kept
from rimkit.reproduction.method import Method

_PROTOCOL = 1


@dataclasses.dataclass(frozen=True)
class DenoisingMethod(Method[Restore]):
    """A denoiser in a table.

    Attributes
    ----------
    rounded_only
        Whether it was trained for, or differs from another method on, rounded images alone.
    knows
        Whether it uses the likelihood of rounded values where y is rounded; None if that does not
        apply.
    """

    rounded_only: bool = False
    knows: bool | None = None


class KeptScores:
    """The scores in a file; each is measured once for its settings, image and condition.

    Parameters
    ----------
    file
        CSV, a line for every score; need not exist.
    say
        Called with lines that report progress.
    """

    def __init__(self, file: Path, *, say: Callable[[str], None]) -> None:
        place = ("image", "sigma", "quantised")
        self._kept = Kept(file, place=place, values=("psnr_db", "ssim"), protocol=_PROTOCOL)
        self._say = say

    @property
    def about(self) -> list[str]:
        """Lines of explanation, as in `Kept`."""
        return self._kept.about

    def of(
        self, method: DenoisingMethod, images: Sequence[CleanImage], conditions: Sequence[Condition]
    ) -> list[ImageScore]:
        """Score a method on every image under every condition, in that order."""
        self._kept.rename(method.name, method.settings)
        scores = []
        for number, image in enumerate(images, start=1):
            before = len(self._kept)
            scores += [self._score(method, image, condition) for condition in conditions]
            if len(self._kept) > before:
                self._say(f"{method.name}: {number} of {len(images)}")
        return scores

    def _score(
        self, method: DenoisingMethod, image: CleanImage, condition: Condition
    ) -> ImageScore:
        def measure() -> dict[str, str]:
            (score,) = score_denoising([image], [condition], method.restore)
            return {"psnr_db": f"{score.psnr:.4f}", "ssim": f"{score.ssim:.5f}"}

        place = {
            "image": image.name,
            "sigma": f"{condition.sigma:g}",
            "quantised": "yes" if condition.quantised else "no",
        }
        line = self._kept.score(method.name, method.settings, place, measure)
        values = (float(line[name]) for name in ("psnr_db", "ssim"))
        return ImageScore(image.name, condition.sigma, condition.quantised, *values)
