"""What one visitor, and all of them together, may use of this computer."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Settings of the server, each with a default that is safe on a small machine.

    Attributes
    ----------
    pixels
        Pixels of an image, height times width.
    memory
        Bytes that one inference may take.
    steps
        Steps of one inference.
    frames
        Bytes of estimates that one inference may keep: height x width x channels x (steps + 1).
    seconds
        Seconds that one inference may take.
    upload_bytes, upload_seconds
        Bytes of one uploaded file, and seconds for its upload.
    uploads
        Files that may be received at the same time.
    waiting, waiting_each
        Inferences that may wait, of all visitors and of each.
    kept_bytes
        Bytes of uploaded files on disk, and as many of results in memory; the oldest go first.
    patience
        Seconds without a sign of the visitor after which an inference is ended.
    """

    pixels: int = 2_000_000
    memory: float = 3e9
    steps: int = 200
    frames: float = 100e6
    seconds: float = 120.0
    upload_bytes: int = 40_000_000
    upload_seconds: float = 60.0
    uploads: int = 32
    waiting: int = 256
    waiting_each: int = 16
    kept_bytes: float = 500e6
    patience: float = 15.0
