"""A training on two nodes, as SLURM starts it: here, two processes on one machine."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.processes import started

from rimkit.weights import store


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_two_nodes_train_one_model(tmp_path: Path, images: Path, overrides: list[str]) -> None:
    overrides += ["optimizer.updates=4", "validate_every=4"]
    words = [f"--set={override}" for override in overrides]
    words += ["--nodes=2", "--devices=1", "--accelerator=cpu", "--strategy=ddp"]
    words += [f"--data={images}", f"--output={tmp_path / 'run'}", "--precision=32-true", "--quiet"]
    slurm = {
        "SLURM_JOB_ID": "1",
        "SLURM_JOB_NAME": "rimkit",
        "SLURM_NODELIST": "localhost",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_LOCALID": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
    }
    with contextlib.ExitStack() as stack:
        nodes = [
            stack.enter_context(
                started(
                    [sys.executable, "-m", "rimkit", "train", "denoise-gray", *words],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    env={
                        **os.environ,
                        **slurm,
                        "SLURM_PROCID": str(rank),
                        "SLURM_NODEID": str(rank),
                    },
                )
            )
            for rank in (0, 1)
        ]
        printed = [node.communicate(timeout=200)[0] for node in nodes]
    for rank, (node, text) in enumerate(zip(nodes, printed, strict=True)):
        assert node.returncode == 0, text
        assert f"GLOBAL_RANK: {rank}, MEMBER: {rank + 1}/2" in text
        assert "stopped before" not in text
        assert ("weights.safetensors" in text) == (rank == 0)
    training = store.read_metadata(tmp_path / "run" / "weights.safetensors")["training"]
    assert training["finished"]
    assert training["updates"] == 4
