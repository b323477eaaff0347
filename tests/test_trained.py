"""What a training record says of its task, also where others, or other versions, wrote it."""

from collections.abc import Callable
from typing import Any

import pytest

from rimkit import trained
from rimkit.tasks import InpaintingTask, SuperResolutionTask


@pytest.mark.parametrize(
    ("record", "name", "levels"),
    [
        ({}, "denoising", None),
        ({"task": {"sigma": [0.0, 55.0]}}, "denoising", (0.0, 55.0)),  # before tasks had names
        ({"task": {"name": "super-resolution", "sigma": 0.4}}, "super-resolution", (0.4, 0.4)),
        ({"task": {"name": "mine", "sigma": [9, 1, 4]}}, "mine", (1.0, 9.0)),
        ({"task": {"name": "mine", "sigma": []}}, "mine", None),
        ({"task": {"name": "mine", "sigma": "much"}}, "mine", None),
    ],
)
def test_name_and_noise_of_any_task(
    record: dict[str, Any], name: str, levels: tuple[float, float] | None
) -> None:
    assert trained.task_name(record) == name
    assert trained.trained_range(record) == levels


@pytest.mark.parametrize(
    ("quantised", "knows", "rounded_alone"),
    [("no", False, False), ("unknown", False, True), ("known", True, True), ("half", True, False)],
)
def test_what_a_denoiser_saw_of_rounding(quantised: str, knows: bool, rounded_alone: bool) -> None:
    record = {"task": {"name": "denoising", "quantised": quantised}}
    assert trained.knows_levels(record) == knows
    assert trained.trained_on_rounded_alone(record) == rounded_alone


def test_what_another_task_says_is_not_taken_for_ones_own() -> None:
    record = {"task": {"name": "mine", "quantised": "half", "sigma": [7.0, 9.0], "p": "few"}}
    assert not trained.knows_levels(record)
    assert not trained.never_denoised(record)
    assert trained.least_sigma(record) == 0
    assert trained.trained_sigma(record) == SuperResolutionTask().sigma / 255
    assert trained.inpainting_sigma(record) == InpaintingTask().sigma[0] / 255


def test_settings_of_a_newer_version_are_left_out() -> None:
    record = {"task": {"name": "super-resolution", "sigma": 5.1, "kernel": "lanczos"}}
    assert trained.trained_sigma(record) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("question", "task"),
    [
        (trained.least_sigma, {"sigma": "much"}),
        (trained.knows_levels, {"quantised": "perhaps"}),
        (trained.trained_sigma, {"name": "super-resolution", "sigma": [0.4]}),
        (trained.inpainting_sigma, {"name": "inpainting", "sigma": 0.4}),
        (trained.never_denoised, {"name": "random-projections", "p": 0.5}),
    ],
)
def test_settings_of_another_type_are_a_value_error(
    question: Callable[[dict[str, Any]], object], task: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"the task recorded in the weights\.(sigma|quant|p)"):
        question({"task": task})
