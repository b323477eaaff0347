import subprocess
import sys
from pathlib import Path

import pytest

from rimkit import allocation
from rimkit.evaluation.timing import memory_of, seconds_of


def test_seconds_are_those_of_one_image_and_the_first_warms_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, took = [0.0], {"a": iter([100.0, 1.0]), "b": iter([2.0])}

    def restore(name: str) -> None:
        clock[0] += next(took[name])

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    assert seconds_of([lambda: restore("a"), lambda: restore("b")]) == 1.5


@pytest.mark.skipif(sys.platform != "linux", reason="others cannot forget an earlier peak")
def test_memory_is_what_a_restoration_holds_at_most_beside_the_process() -> None:
    # In a process of its own: one that has trained keeps what it frees.
    lines = [
        "import torch",
        "from rimkit.evaluation.timing import memory_of",
        "torch.set_num_threads(1)",
        "torch.ones(50_000_000).sum()",  # more than that, before it
        "print(memory_of(lambda: torch.ones(10_000_000).sum()), memory_of(lambda: None))",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    taken, nothing = map(float, done.stdout.split())
    assert taken == pytest.approx(40, rel=0.1)
    assert nothing == pytest.approx(0, abs=1)


def test_where_an_earlier_peak_is_not_forgotten_memory_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(allocation, "_FORGET", Path("no", "such", "file"))
    assert memory_of(lambda: None) is None
