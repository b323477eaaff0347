"""Means with their error bars, and paired comparisons."""

import math

import numpy as np
import pytest

from rimkit.evaluation.statistics import Mean, bootstrap_mean, compare, or_lowest


def test_the_deviation_of_a_mean_is_that_of_theory() -> None:
    values = np.random.default_rng(1).normal(30, 2, 100)
    mean = bootstrap_mean(values.tolist())
    assert mean.value == pytest.approx(values.mean())
    assert mean.deviation == pytest.approx(values.std() / 10, rel=0.03)
    assert bootstrap_mean(values.tolist()) == mean


def test_a_paired_comparison_sees_what_the_means_do_not() -> None:
    rng = np.random.default_rng(2)
    images = rng.normal(30, 3, 100)
    first, second = images + 0.1 + rng.normal(0, 0.1, 100), images
    result = compare(first.tolist(), second.tolist())
    assert result.difference.value == pytest.approx((first - second).mean())
    assert 0 < result.low < result.difference.value < result.high
    assert result.high - result.low == pytest.approx(4 * result.difference.deviation, rel=0.1)
    assert result.wins == (first > second).sum()
    assert bootstrap_mean(first.tolist()).deviation > 10 * result.difference.deviation
    back = compare(second.tolist(), first.tolist())
    assert back.difference.value == pytest.approx(-result.difference.value)
    assert back.wins == result.images - result.wins


def test_what_is_no_number_is_the_lowest_of_all() -> None:
    assert or_lowest(math.nan) == -math.inf
    assert or_lowest(-3.5) == -3.5


def test_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="3 scores, 2"):
        compare([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="no images"):
        bootstrap_mean([])


def test_a_mean_is_told_with_its_deviation_where_that_is_known() -> None:
    assert f"{Mean(0.126, 0.03):+.2f}" == "+0.13 ± 0.03"
    assert f"{Mean(-0.126, 0.03):.3f}" == "-0.126 ± 0.030"
    assert f"{Mean(28.31, math.nan):.2f}" == "28.31"
