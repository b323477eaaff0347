"""What the pictures show."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from tests.cases import uniform
from torch import Tensor

pytest.importorskip("matplotlib", reason="needs rimkit[plot]")

from matplotlib.figure import Figure

from rimkit import plot
from rimkit.classical import GradientDescent
from rimkit.metrics import psnr
from rimkit.problem import Denoising
from rimkit.solver import Iterate, Solution

TRUTH = uniform(2, 1, 20, 30).float()
Y = TRUTH + 0.1
PROBLEM = Denoising(0.1)


def solution(moves: Sequence[Sequence[float]]) -> Solution:
    """One whose images stand at so much above the truth, step by step; the shorter one stopped."""
    longest = max(map(len, moves))
    path = [[*above, *[above[-1]] * (longest - len(above))] for above in moves]
    trajectory = TRUTH + torch.tensor(path).T[..., None, None, None] / 2
    last = trajectory[-1]
    return Solution(
        last,
        Iterate(last, last, ()),
        trajectory,
        torch.tensor([len(above) - 1 for above in moves]),
        ("steps",) * len(moves),
    )


SOLUTION = solution([[0.8, 0.4, 0.2, 0.1], [0.6, 0.3]])


def titles(figure: Figure) -> list[str]:
    return [axis.get_title() for axis in figure.axes]


def shown(figure: Figure, place: int) -> Tensor:
    return torch.as_tensor(figure.axes[place].images[0].get_array())


@pytest.mark.parametrize(("columns", "rows"), [(None, 1), (1, 5), (2, 3), (4, 2), (9, 1)])
def test_images_stand_in_rows(columns: int | None, rows: int) -> None:
    figure = plot.compare({str(i): Y + i / 9 for i in range(4)}, truth=TRUTH, columns=columns)
    places = [axis.get_subplotspec() for axis in figure.axes]
    assert {place.rowspan.start for place in places if place is not None} == set(range(rows))
    shown_axes = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title()[0] for axis in shown_axes] == ["0", "1", "2", "3", "t"]
    assert not any(axis.axison for axis in figure.axes)


def test_a_row_of_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="columns must be at least 1, got 0"):
        plot.compare({"noisy": Y}, columns=0)


def test_images_stand_side_by_side_with_their_psnr(tmp_path: Path) -> None:
    figure = plot.compare({"noisy": Y, "half": (Y + TRUTH) / 2}, truth=TRUTH, sample=1)
    values = [psnr(x, TRUTH)[1].item() for x in (Y, (Y + TRUTH) / 2)]
    assert titles(figure) == [f"noisy, {values[0]:.2f} dB", f"half, {values[1]:.2f} dB", "truth"]
    assert torch.equal(shown(figure, 0), Y[1, 0].clamp(0, 1))
    assert torch.equal(shown(figure, 2), TRUTH[1, 0])
    figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_without_a_truth_and_beside_other_sizes_there_is_no_psnr() -> None:
    assert titles(plot.compare({"noisy": Y})) == ["noisy"]
    small = Y[..., ::2, ::2]
    figure = plot.compare({"small": small}, truth=TRUTH, window=(slice(0, 8), slice(5, 15)))
    assert titles(figure) == ["small", "truth"]
    assert torch.equal(shown(figure, 0), small[0, 0].clamp(0, 1))
    assert torch.equal(shown(figure, 1), TRUTH[0, 0, :8, 5:15])


def test_long_titles_do_not_reach_into_the_next(tmp_path: Path) -> None:
    images = {"a model that knows of the levels of a file": Y, "its own\nlines": Y}
    figure = plot.compare(images, truth=TRUTH)
    figure.savefig(tmp_path / "a.png")
    first, second, _ = (axis.title.get_window_extent() for axis in figure.axes)
    assert first.x1 < second.x0
    assert first.y1 <= figure.bbox.y1 + 0.5  # pixels
    assert titles(figure)[1].startswith("its own\nlines, ")


def test_colours_and_axes_of_ones_own() -> None:
    colour = uniform(1, 3, 9, 8).requires_grad_()
    figure = Figure()
    axes = figure.subplots(1, 3)
    assert plot.compare({"colour": colour}, axes=axes[1:]) is figure
    assert [len(axis.images) for axis in axes] == [0, 1, 0]
    expected = colour[0].detach().float().permute(1, 2, 0)
    torch.testing.assert_close(shown(figure, 1), expected)


def test_estimates_are_shown_by_step() -> None:
    figure = plot.trajectory(SOLUTION, truth=TRUTH, steps=[0, 2])
    assert SOLUTION.trajectory is not None
    values = [psnr(SOLUTION.trajectory[step], TRUTH)[0].item() for step in (0, 2)]
    assert titles(figure) == [f"start, {values[0]:.2f} dB", f"step 2, {values[1]:.2f} dB"]
    assert torch.equal(shown(figure, 1), SOLUTION.trajectory[2, 0, 0].clamp(0, 1))
    assert titles(plot.trajectory(SOLUTION)) == ["start", "step 1", "step 2", "step 3"]
    long = GradientDescent(step_size=0.001).solve(Y, PROBLEM, steps=50, keep=True)
    assert titles(plot.trajectory(long))[::5] == ["start", "step 50"]


def test_progress_is_psnr_where_the_truth_is_known() -> None:
    figure = plot.progress(SOLUTION, truth=TRUTH, others={"best": 40.0}, mark=2, label="ours")
    (axis,) = figure.axes
    assert SOLUTION.trajectory is not None
    for image in range(2):
        expected = [psnr(x, TRUTH)[image].item() for x in SOLUTION.trajectory]
        assert axis.lines[image].get_ydata() == pytest.approx(expected)
        assert list(axis.lines[image].get_xdata()) == [0, 1, 2, 3]
    assert axis.get_ylabel() == "PSNR (dB)"
    assert all(float(tick).is_integer() for tick in axis.get_xticks())
    assert "dotted: 2" in axis.get_xlabel()
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["ours", "best"]


def test_progress_is_how_far_steps_move_where_it_is_not(tmp_path: Path) -> None:
    figure = plot.progress(SOLUTION)
    (axis,) = figure.axes
    assert axis.get_yscale() == "log"
    assert list(axis.lines[0].get_xdata()) == [1, 2, 3]
    assert axis.lines[0].get_ydata() == pytest.approx([0.2, 0.1, 0.05], rel=1e-4)
    assert axis.lines[1].get_ydata() == pytest.approx([0.15], rel=1e-4)
    axes = Figure().subplots()
    rest = GradientDescent(step_size=0.001).solve(Y, PROBLEM, steps=0, keep=True)
    plot.progress(rest, axes=axes).savefig(tmp_path / "a.png")
    assert [len(line.get_xdata()) for line in axes.lines] == [0, 0]


def test_what_cannot_be_drawn() -> None:
    unkept = GradientDescent(step_size=0.001).solve(Y, PROBLEM)
    for draw in (plot.trajectory, plot.progress):
        with pytest.raises(ValueError, match="keep=True"):
            draw(unkept)
    with pytest.raises(ValueError, match="estimates 0 to 3"):
        plot.trajectory(SOLUTION, steps=[4])
    with pytest.raises(ValueError, match="give truth"):
        plot.progress(SOLUTION, others={"best": 40.0})
    with pytest.raises(ValueError, match="no image"):
        plot.compare({})
    with pytest.raises(ValueError, match="'flat' has shape"):
        plot.compare({"flat": Y[0, 0]})
    with pytest.raises(ValueError, match="2 images, but 1 axes"):
        plot.compare({"noisy": Y}, truth=TRUTH, axes=[Figure().subplots()])


def test_without_matplotlib_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "try: from rimkit import plot\n"
        "except ModuleNotFoundError as error: print(error, error.name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = "rimkit.plot needs matplotlib: pip install '.[plot]' in a copy of the repository"
    assert done.stdout == f"{told} matplotlib\n"


def test_the_window_is_cut_out_of_what_has_the_size_of_the_truth() -> None:
    larger = torch.nn.functional.pad(TRUTH, (0, 10, 0, 10))
    figure = plot.compare({"larger": larger}, truth=TRUTH, window=(slice(2, 8), slice(3, 7)))
    assert shown(figure, 0).shape == larger.shape[-2:]
    assert shown(figure, 1).shape == (6, 4)
