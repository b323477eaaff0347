"""Fixtures: data that may be absent, images that a dependency ships."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rimkit.data import bsds300
from rimkit.networks import CompactConfig
from rimkit.rim import RIM, RIMConfig

THREADS = max(1, (os.cpu_count() or 1) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
torch.set_num_threads(THREADS)
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))  # of programs that tests start


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if bsds300.find() is None:
        skip = pytest.mark.skip(reason=f"BSDS300 is absent: set {bsds300.LOCAL_COPY}")
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(skip)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For small convolutions: their threads wait for one another where other work goes on."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def model() -> RIM:
    """Small, with a stride, and far from doing nothing."""
    torch.manual_seed(0)
    model = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1), steps=2)).eval()
    torch.nn.init.normal_(model.network.out.weight, std=0.1)
    return model


@pytest.fixture(scope="session")
def photograph() -> Tensor:
    """Grey photograph (1, 1, 200, 231) in [0, 1] that scikit-image ships; not of BSDS."""
    data = pytest.importorskip("skimage.data", reason="needs scikit-image")
    grey = np.asarray(data.camera()[60:260, 150:381], dtype=np.float32) / 255
    return torch.from_numpy(grey)[None, None]


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder in which denoise-gray has been exported to ONNX already."""
    pytest.importorskip("onnxscript", reason="needs rimkit[onnx]")
    pytest.importorskip("onnxruntime", reason="needs rimkit[onnx]")
    from rimkit.onnx.cache import place
    from rimkit.onnx.export import export

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIMKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        export("denoise-gray", place("denoise-gray"))
        return bsds300.cache_folder()


@pytest.fixture
def forbid_listing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Let a folder look as if it were another user's: nobody forbids that to root."""
    scandir = os.scandir

    def forbid(folder: Path) -> None:
        def scan(path: Any) -> Any:
            if Path(path) == folder:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", scan)

    return forbid
