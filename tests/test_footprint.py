"""What is counted is what is held."""

import mmap

import pytest
import torch

from rimkit.allocation import resident
from rimkit.classical import GradientDescent
from rimkit.footprint import _LiveTensors, bytes_per_pixel


def test_live_tensors_are_counted_once_and_forgotten() -> None:
    with _LiveTensors() as live:
        a = torch.zeros(1000)
        b = a.view(10, 100)[2:]  # the same memory
        assert live.peak == 4000
        c = b + 1
        assert live.peak == 4000 + 3200
        del a, b, c
        torch.zeros(1500)
        assert live.peak == 4000 + 3200
        torch.zeros(2500)
        assert live.peak == 10_000


def test_a_solver_with_nothing_inside_needs_a_few_images() -> None:
    solver = GradientDescent(step_size=0.01, steps=2)
    one = bytes_per_pixel(solver, channels=1)
    assert 4 * 4 <= one <= 12 * 4
    assert bytes_per_pixel(solver, channels=3) == pytest.approx(3 * one, rel=0.01)


def test_what_is_resident_grows_with_what_is_used() -> None:
    before = resident()
    with mmap.mmap(-1, 50_000_000) as block:  # not of memory that was freed before
        block.write(bytes(50_000_000))
        assert resident() - before > 40_000_000
