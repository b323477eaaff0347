"""Programs that tests start: whatever a test does, none of them outlives it."""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import psutil


@contextlib.contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a program, as `subprocess.Popen` does; at the end of the block it is killed if it runs.

    And with it what it has started by then.
    """
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            family: list[psutil.Process] = []
            with contextlib.suppress(psutil.NoSuchProcess):
                leader = psutil.Process(process.pid)
                family = [*leader.children(recursive=True), leader]
            if process.poll() is None:
                for each in family:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        each.kill()
