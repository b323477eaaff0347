"""Silence the messages of Lightning that call for no action."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

# These need no fix: batches are drawn in well under a millisecond, the folder of a resumed run is
# not empty, LeafSpec is between Lightning and torch, and the number of a step is the same in all
# processes.
_NOISE = (
    ".*does not have many workers.*",
    "Checkpoint directory .* exists and is not empty.*",
    ".*LeafSpec.*deprecated.*",
    ".*recommended to use .*sync_dist=True.*",
)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress these messages, and Lightning's log below warnings, while a block runs."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    with warnings.catch_warnings():
        for message in _NOISE:
            warnings.filterwarnings("ignore", message=message)
        logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            logger.setLevel(level)
