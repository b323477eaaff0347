import itertools
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.cases import generator, normal, uniform
from torch import Tensor

from rimkit import operators, tree
from rimkit.noises import GaussianNoise
from rimkit.operators import DenseProjection, FastProjection, FourierProjection, independent_reals
from rimkit.problem import Problem

SIZE = (4, 5)
Draw = Callable[..., operators.Operator]
DRAWS: dict[str, Draw] = {
    "gaussian": DenseProjection.gaussian,
    "binary": DenseProjection.binary,
    "fourier": FourierProjection.draw,
    "fast": FastProjection.draw,
}
each_draw = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())


def matrix(operator: operators.Operator, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """Of a real image to its measurements: (m, d)."""
    pixels = torch.eye(math.prod(size), dtype=dtype).view(-1, 1, *size)
    return operator.A(pixels)[:, 0].mT


def test_the_ensembles_have_their_entries() -> None:
    gaussian = DenseProjection.gaussian(0.25, (20, 20), samples=8, generator=generator()).matrix
    assert gaussian.shape == (8, 100, 400)
    assert gaussian.mean().abs() < 0.01
    assert gaussian.std() == pytest.approx(1, abs=0.01)
    binary = DenseProjection.binary(0.25, (20, 20), samples=8, generator=generator()).matrix
    assert binary.unique().tolist() == [-1, 1]
    assert binary.mean().abs() < 0.01
    signs = FastProjection.draw(0.25, (20, 20), samples=8, generator=generator()).signs
    assert signs.unique().tolist() == [-1, 1]
    assert signs.mean().abs() < 0.05


def test_fourier_is_rows_of_the_fourier_matrix() -> None:
    operator = FourierProjection.draw(0.5, SIZE, generator=generator())
    down, right = (
        torch.exp(-2j * torch.pi * torch.outer(k, k) / len(k))
        for k in (torch.arange(n, dtype=torch.float64) for n in SIZE)
    )
    whole = torch.kron(down, right)
    rows = whole[operator.rows[0]]
    torch.testing.assert_close(matrix(operator, SIZE, torch.float64), rows)


@pytest.mark.parametrize("size", [(4, 5), (6, 6), (7, 3)])
def test_fast_rows_are_orthonormal(size: tuple[int, int]) -> None:
    operator = FastProjection.draw(0.7, size, generator=generator())
    rows = matrix(tree.move(operator, dtype=torch.float64), size, torch.float64)
    torch.testing.assert_close(rows @ rows.mT, torch.eye(len(rows), dtype=torch.float64))


@each_draw
def test_every_sample_has_rows_of_its_own_and_the_same_seed_the_same(draw: Draw) -> None:
    operator = draw(0.5, SIZE, samples=2, generator=generator())
    x = normal(1, 1, *SIZE, dtype=torch.float32).expand(2, -1, -1, -1)
    z = operator.A(x)
    assert z.shape == (2, 1, 10)
    assert not torch.equal(z[0], z[1])
    assert torch.equal(z, draw(0.5, SIZE, samples=2, generator=generator()).A(x))


@each_draw
def test_all_pixels_and_no_noise_give_the_image_back(draw: Draw) -> None:
    operator = tree.move(draw(1.0, SIZE, generator=generator()), dtype=torch.float64)
    x = uniform(1, 1, *SIZE)
    rows = matrix(operator, SIZE, torch.float64)
    y = operator.A(x)[0, 0]
    found = torch.linalg.lstsq(rows, y.to(rows.dtype)).solution
    torch.testing.assert_close(found.real, x.flatten())


@each_draw
@pytest.mark.parametrize("p", [0.0, -0.1, 1.01, float("nan"), True, "0.5", None])
def test_shares_that_are_none(draw: Draw, p: Any) -> None:
    with pytest.raises(ValueError, match=r"must lie in \(0, 1\], got .* for 4x5"):
        draw(p, SIZE, generator=generator())
    with pytest.raises(ValueError, match="no rows at all"):
        draw(0.02, SIZE, generator=generator())


@each_draw
@pytest.mark.parametrize("size", [(-4, -5), (4, 0), (4, 5, 3), 4, (4.0, 5)])
def test_sizes_that_are_none(draw: Draw, size: Any) -> None:
    with pytest.raises(ValueError, match=r"must be two positive integers \(H, W\), got"):
        draw(0.5, size, generator=generator())


@each_draw
@pytest.mark.parametrize("samples", [0, -1, 1.5])
def test_numbers_of_samples_that_are_none(draw: Draw, samples: Any) -> None:
    with pytest.raises(ValueError, match="samples must be a positive integer, got"):
        draw(0.5, SIZE, samples=samples, generator=generator())


@each_draw
def test_shapes_devices_and_precisions_that_do_not_fit(draw: Draw) -> None:
    operator = draw(0.5, SIZE, samples=2, generator=generator())
    x = torch.rand(2, 1, *SIZE)
    y = operator.A(x)
    for wrong in (x[0], torch.rand(2, 1, 5, 4), torch.rand(2, 20)):
        with pytest.raises(ValueError, match=re.escape(f"(N, C, 4, 5), got {tuple(wrong.shape)}")):
            operator.A(wrong)
    for short in (y[..., :-1], y[0]):
        with pytest.raises(ValueError, match=re.escape(f"(N, C, 10), got {tuple(short.shape)}")):
            operators.initial(operator, short)
    with pytest.raises(ValueError, match=r"2 samples.*\(3, 1, 4, 5\)"):
        operator.A(torch.rand(3, 1, *SIZE))
    with pytest.raises(ValueError, match=r"\(2, 1, 4, 5\).*meta"):
        operator.A(x.to("meta"))
    with pytest.raises(ValueError, match=r"y \(2, 1, 10\).*meta.*\(2, .*cpu"):
        operator.A_adjoint(y.to("meta"))
    with pytest.raises(ValueError, match=r"2 samples.*y has shape \(3, 1, 10\)"):
        operator.A_adjoint(y[[0, 1, 0]])


@each_draw
def test_mixed_precisions(draw: Draw) -> None:
    operator = draw(0.5, SIZE, samples=2, generator=generator())
    y = operator.A(torch.rand(2, 1, *SIZE))
    if isinstance(operator, FourierProjection):
        for kind, message in ((torch.complex64, "x must be real"), (torch.uint8, "floating point")):
            with pytest.raises(ValueError, match=message):
                operator.A(torch.zeros(2, 1, 4, 5, dtype=kind))
        with pytest.raises(ValueError, match=r"complex, got y \(2, 1, 10\) of torch.float32"):
            operator.A_adjoint(y.real)
        return
    with pytest.raises(ValueError, match=r"\(2, 1, 4, 5\) is torch.float64.*is torch.float32"):
        operator.A(torch.rand(2, 1, *SIZE).double())
    with pytest.raises(ValueError, match=r"\(2, 1, 10\) is torch.float64"):
        operator.A_adjoint(y.double())


def test_matrices_and_rows_that_are_none() -> None:
    with pytest.raises(ValueError, match=r"1 to 20 rows for 20 pixels, got 21 in shape"):
        DenseProjection(torch.ones(1, 21, 20), SIZE)
    with pytest.raises(ValueError, match=r"\(N or 1, m, 20\), got \(10, 20\)"):
        DenseProjection(torch.ones(10, 20), SIZE)
    with pytest.raises(ValueError, match=r"\(N or 1, m, 20\), got \(1, 10, 21\)"):
        DenseProjection(torch.ones(1, 10, 21), SIZE)
    for rows, message in (
        (torch.arange(21)[None], "got 21 in shape"),
        (torch.arange(5), r"\(N or 1, m\), got \(5,\)"),
        (torch.ones(1, 5), "must be integers"),
        (torch.tensor([[0, 1, 0]]), r"distinct.*\(1, 3\)"),
        (torch.zeros(0, 5, dtype=torch.long), r"at least one sample, got shape \(0, 5\)"),
        (torch.tensor([[0, 20]]), "from 0 to 19"),
    ):
        with pytest.raises(ValueError, match=message):
            FourierProjection(rows, SIZE)
    with pytest.raises(ValueError, match=r"floating point, got \(1, 2, 20\) of torch.int64"):
        DenseProjection(torch.ones(1, 2, 20, dtype=torch.long), SIZE)
    ones = torch.ones(1, *SIZE)
    for signs in (0 * ones, ones.long(), ones > 0, 1j * ones):
        with pytest.raises(ValueError, match=rf"-1 and 1, .*\(1, 4, 5\) of {signs.dtype}"):
            FastProjection(signs, torch.arange(5)[None])


def test_signs_and_rows_are_on_one_device() -> None:
    operator = FastProjection.draw(0.5, SIZE, samples=2, generator=generator())
    with pytest.raises(ValueError, match=r"rows \(2, 10\) is on meta, .* \(2, 4, 5\) is on cpu"):
        FastProjection(operator.signs, operator.rows.to("meta"))
    y = operator.A(torch.rand(2, 1, *SIZE))
    object.__setattr__(operator, "rows", operator.rows.to("meta"))
    with pytest.raises(ValueError, match=r"x \(2, 1, 4, 5\) is on cpu, .* \(2, 10\) is on meta"):
        operator.A(torch.rand(2, 1, *SIZE))
    with pytest.raises(ValueError, match=r"y \(2, 1, 10\) is on cpu, .* \(2, 10\) is on meta"):
        operator.A_adjoint(y)


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
@each_draw
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision(draw: Draw, kind: torch.dtype) -> None:
    operator = draw(0.5, SIZE, samples=2, generator=generator())
    x = torch.rand(2, 1, *SIZE)
    with pytest.raises(ValueError, match=rf"x \(2, 1, 4, 5\) .*{kind}"):
        operator.A(x.to(kind))
    half = torch.complex32 if isinstance(operator, FourierProjection) else kind
    with pytest.raises(ValueError, match=rf"y \(2, 1, 10\) .*{half}"):
        operator.A_adjoint(operator.A(x).to(half))


@each_draw
def test_arrays_are_no_tensors(draw: Draw) -> None:
    operator = draw(0.5, SIZE, generator=generator())
    x = torch.rand(2, 1, *SIZE)
    with pytest.raises(ValueError, match=r"x must be a torch\.Tensor, got ndarray"):
        operator.A(x.numpy())
    with pytest.raises(ValueError, match=r"y must be a torch\.Tensor, got ndarray"):
        operator.A_adjoint(operator.A(x).numpy())


def test_signs_and_rows_are_for_one_number_of_samples() -> None:
    signs, rows = torch.ones(1, *SIZE), torch.arange(6).view(3, 2)
    with pytest.raises(ValueError, match=r"signs \(2, 4, 5\) and rows \(3, 2\)"):
        FastProjection(signs.expand(2, *SIZE), rows)
    operator = FastProjection(signs, rows)
    with pytest.raises(ValueError, match=r"for 3 samples .* x has shape \(2, 1, 4, 5\)"):
        operator.A(torch.ones(2, 1, *SIZE))
    with pytest.raises(ValueError, match=r"for 3 samples .* y has shape \(2, 1, 2\)"):
        operator.A_adjoint(torch.ones(2, 1, 2))


@pytest.mark.parametrize("size", [(2, 3), (3, 3), (2, 4)])
def test_independent_reals_are_the_mean_rank(size: tuple[int, int]) -> None:
    pixels = math.prod(size)
    for m in range(1, pixels + 1):
        ranks = []
        for rows in itertools.combinations(range(pixels), m):
            measured = matrix(FourierProjection(torch.tensor([rows]), size), size, torch.float64)
            ranks.append(torch.linalg.matrix_rank(torch.cat([measured.real, measured.imag])))
        mean = sum(map(int, ranks)) / len(ranks)
        assert independent_reals(m / pixels, size) == pytest.approx(mean)


def test_independent_reals_of_the_paper_s_patches() -> None:
    found = [independent_reals(p, (32, 32)) for p in (0.1, 0.2, 0.4, 0.6)]
    assert found == pytest.approx([194, 368, 655, 860], abs=1.0)
    with pytest.raises(ValueError, match="must lie in"):
        independent_reals(1.5, (32, 32))


def test_noise_of_complex_measurements_is_on_both_parts() -> None:
    problem = Problem(
        FourierProjection.draw(0.5, (40, 40), generator=generator()), GaussianNoise(3.0)
    )
    y = problem.simulate(torch.zeros(1, 1, 40, 40), generator=generator(1))
    assert y.is_complex()
    assert y.real.std() == pytest.approx(3, rel=0.1)
    assert y.imag.std() == pytest.approx(3, rel=0.1)
