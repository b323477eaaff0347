"""Names in the log."""

from rimkit.training.log import own


def test_a_problem_may_be_called_late() -> None:
    night = ["night", "night_late", "of_late", "of_late_late"]
    assert own(night) == ["night", "of_late"]
    assert own(["night_late"]) == ["night_late"]
