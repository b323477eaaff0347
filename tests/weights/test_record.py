"""What tables say of the training of a model."""

from pathlib import Path
from typing import Any

import pytest

from rimkit import weights
from rimkit.networks import Ablation, CompactConfig, PaperConfig, ablated
from rimkit.rim import RIM, RIMConfig
from rimkit.weights import record, store

PAPER = PaperConfig(features=4, hidden=6)


def model(training: dict[str, Any], network: Any = PAPER) -> RIM:
    made = RIM(RIMConfig(network=network))
    made.training_record = training
    return made


def test_network_parameters_updates_and_minutes_are_said() -> None:
    finished = model({"updates": 20_000, "seconds": 4343, "finished": True})
    count = sum(parameter.numel() for parameter in finished.parameters())
    size = f"{count:,} parameters of {4e-6 * count:.1f} MB"
    assert record.described(finished) == (
        f"paper network, {size}, 20,000 updates, 72 minutes of training"
    )
    plan = {"optimizer": {"updates": 200_000}}
    early = {"updates": 9000, "seconds": 7200, "finished": False, "recipe": plan}
    assert record.described(model(early)).endswith(
        "9,000 of 200,000 updates, 120 minutes of training"
    )
    del early["recipe"]
    assert "9,000 updates, unfinished, " in record.described(model(early))
    assert record.described(model({})).endswith(size)


@pytest.mark.parametrize(
    ("part", "words"), [("gdn", "that does not see its estimate"), ("ffn", "without state")]
)
def test_a_missing_part_is_said(part: Ablation, words: str) -> None:
    network = ablated(CompactConfig(features=8, blocks=1), part)
    assert record.described(model({}, network)).startswith(f"compact network {words}, ")


def test_the_start_counts() -> None:
    training = {"updates": 10, "seconds": 600, "recipe": {"start_from": "denoise-gray"}}
    assert record.seconds_of(training) == 600
    assert "10 minutes of training after those of its start" in record.described(model(training))
    training["start"] = {"seconds": 1200}
    assert record.seconds_of(training) == 1800
    assert "10 updates, 10 minutes of training after 20 of its start" in record.described(
        model(training)
    )


def test_what_a_start_hands_on(tmp_path: Path) -> None:
    path = tmp_path / "first.safetensors"
    before = {"seconds": 5, "read": {"bsds300": 200, "other": 9}}
    before |= {"learned": [{"task": {"name": "denoising"}, "contrast": [1.0, 1.0]}]}
    task, data = {"name": "random-projections", "noisier": 0.0}, {"contrast": [0.5, 1.0]}
    training = {"seconds": 7, "read": {"bsds300": 200, "other": 0}, "start": before}
    training |= {"task": task, "recipe": {"data": data}}
    store.save(model({}), path, training=training)
    assert record.start_of(path) == {
        "sha256": weights.sha256(path),
        "seconds": 12,
        "read": {"bsds300": 200, "other": 9},
        "learned": [*before["learned"], {"task": task, "contrast": [0.5, 1.0]}],
    }
    store.save(model({}), path)
    assert "seconds" not in record.start_of(path)
    seconds = record.start_of("denoise-gray")["seconds"]
    assert round(seconds) == weights.card("denoise-gray").seconds


@pytest.mark.parametrize(
    ("training", "mark"),
    [
        ({}, ""),
        ({"read": {"bsds300": 200, "other": 0}}, ""),
        ({"read": {"bsds300": 200, "other": 200}}, ", 400 images"),
        ({"read": {"bsds300": 0, "other": 57}}, ", 57 other images"),
        (
            {
                "read": {"bsds300": 200, "other": 0},
                "start": {"read": {"bsds300": 200, "other": 200}},
            },
            ", 400 images",
        ),
    ],
)
def test_weights_that_saw_more_than_the_protocol_are_marked(
    training: dict[str, Any], mark: str
) -> None:
    assert record.title("runs/mine.safetensors", training) == f"rimkit mine{mark}"
    assert record.title("denoise-gray", training) == f"rimkit denoise-gray{mark}"
    assert record.title("runs/paper/weights.safetensors", training) == f"rimkit paper{mark}"
