from collections.abc import Callable
from pathlib import Path

import pytest

from rimkit.networks import CompactConfig, PaperConfig
from rimkit.rim import RIMConfig
from rimkit.tasks import DenoisingTask
from rimkit.training.recipe import (
    DataRecipe,
    LossRecipe,
    OptimizerRecipe,
    Recipe,
    UnrollRecipe,
    load_recipe,
    recipe_from_table,
    recipe_names,
)


def test_every_recipe_in_the_package_loads() -> None:
    assert "denoise-gray" in recipe_names()
    for name in recipe_names():
        load_recipe(name)


def test_every_value_can_be_overridden() -> None:
    recipe = load_recipe(
        "denoise-gray",
        overrides=[
            "optimizer.rate=0.5",
            "optimizer.name=adamw",
            "task.sigma=[5, 10]",
            "model.network.features=32",
            'model.link="sigmoid"',
            "seed=3",
        ],
    )
    assert recipe.optimizer.rate == 0.5
    assert recipe.optimizer.name == "adamw"
    assert recipe.task.sigma == (5.0, 10.0)
    assert recipe.model.network.features == 32  # type: ignore[attr-defined]
    assert recipe.model.link == "sigmoid"
    assert recipe.seed == 3


def test_another_network_starts_from_its_own_defaults() -> None:
    recipe = load_recipe(
        "denoise-gray", overrides=["model.network.name=paper", "model.network.hidden=32"]
    )
    assert recipe.model.network == PaperConfig(channels=1, hidden=32)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.raet=1", 'did you mean "rate"'),
        ("optimiser.rate=1", 'did you mean "optimizer"'),
        ("model.network.chanels=3", 'did you mean "channels"'),
        ("optimizer.name=sgd", "'muon', 'adamw'"),
        ("optimizer.updates=many", "of type int"),
        ("optimizer.rate", "section.key=value"),
        ("seed.deep=1", "not a section|must be of type int"),
        ("unroll.steps=[4, 2]", "low <= high"),
        ("unroll.lifetime=0.5", "at least 1"),
        ("unroll.continued=1.0", r"\[0, 1\)"),
        ("unroll.continued=0.03", "less than one sample: set it to at least 1/32"),
        ("data.batch=4", "less than one sample: set it to at least 1/4,"),
        ("task.sigma=[-1, 2]", "0 <= low"),
        ("task.validation_sigmas=[-1, 2, 3]", "non-negative"),
        ("validate_every=0", "validate_every must be at least 1"),
        ("optimizer.updates=0", "updates must be at least 1"),
        ("optimizer.rate=nan", "rate must be positive"),
        ("optimizer.decay=2.0", r"decay must lie in \[0, 1\]"),
        ("data.held_out_every=1", "held_out_every must be at least 2"),
        ("data.batch=0", "batch must be at least 1"),
        ("loss.early_weight=0.0", "early_weight must be positive"),
        ("loss.rest=-1", "rest must be non-negative"),
        ("loss.rest_after=0", "rest_after"),
        ("unroll.lifetime=nan", "lifetime must be at least 1"),
        ("model.network.features=-1", "features must be at least 1"),
        ("seed=-1", "seed must be at least 0"),
    ],
)
def test_mistakes_are_named(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_recipe("denoise-gray", overrides=[override])


def test_recipes_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='did you mean "denoise-gray"'):
        load_recipe("denoise-grey")
    with pytest.raises(ValueError, match="cannot be read"):
        load_recipe(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_text("a = = b")
    with pytest.raises(ValueError, match="is not TOML"):
        load_recipe(str(tmp_path / "bad.toml"))


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[data]\npatch = 32\n")
    assert load_recipe(str(tmp_path / "own.toml")).data.patch == 32


def test_another_task_starts_from_its_own_defaults() -> None:
    recipe = load_recipe(
        "super-resolution", overrides=["task.name=denoising", "task.quantised=known"]
    )
    assert recipe.task == DenoisingTask(quantised="known")


def test_the_task_that_a_recipe_means_without_its_name_keeps_its_settings() -> None:
    table = {"task": {"sigma": [0, 25]}, "model": {"network": {"features": 16}}}
    changes = ["task.name=denoising", "model.network.name=compact"]
    recipe = recipe_from_table(table, overrides=changes)
    assert recipe.task == DenoisingTask(sigma=(0.0, 25.0))
    assert recipe.model.network == CompactConfig(features=16)


def test_settings_in_python_are_those_of_a_table() -> None:
    task = DenoisingTask(sigma=[0, 25])  # type: ignore[arg-type]
    assert task == DenoisingTask(sigma=(0.0, 25.0))
    assert hash(task) == hash(DenoisingTask(sigma=(0.0, 25.0)))


@pytest.mark.parametrize("contrast", [(0.0, 1.0), (0.5, 1.1), (0.6, 0.5), (float("nan"), 1.0)])
def test_contrast_is_a_range_up_to_that_of_the_image(contrast: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="contrast must be a range in"):
        DataRecipe(contrast=contrast)


@pytest.mark.parametrize(
    "build",
    [
        lambda: OptimizerRecipe(name="adam"),  # type: ignore[arg-type]
        lambda: OptimizerRecipe(updates=float("nan")),  # type: ignore[arg-type]
        lambda: DataRecipe(patch=8.5),  # type: ignore[arg-type]
        lambda: UnrollRecipe(steps=(1.5, 2)),  # type: ignore[arg-type]
        lambda: LossRecipe(distance="a"),  # type: ignore[arg-type]
        lambda: DenoisingTask(quantised="nope"),  # type: ignore[arg-type]
        lambda: Recipe(seed=0.5),  # type: ignore[arg-type]
        lambda: RIMConfig(steps=2.5),  # type: ignore[arg-type]
        lambda: RIMConfig(variance_floor_trained="no"),  # type: ignore[arg-type]
        lambda: CompactConfig(features=True),
        lambda: RIMConfig(network=CompactConfig),  # type: ignore[arg-type]
        lambda: RIMConfig(network=Recipe()),  # type: ignore[arg-type]
        lambda: Recipe(task="denoising"),  # type: ignore[arg-type]
    ],
)
def test_settings_in_python_have_their_types(build: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must be (one of|of type|a dataclass)"):
        build()


def test_overrides_leave_the_table_alone() -> None:
    table = {"seed": 1, "data": {"patch": 32}}
    recipe = recipe_from_table(table, overrides=["seed=5", "data.patch=48"])
    assert (recipe.seed, recipe.data.patch) == (5, 48)
    assert table == {"seed": 1, "data": {"patch": 32}}


@pytest.mark.parametrize(
    ("share", "batch", "places"),
    [(0.57, 100, 57), (0.29, 100, 29), (0.58, 50, 29), (1 / 49, 49, 1), (0.125, 20, 2)],
)
def test_a_share_of_a_batch_is_rounded_down_but_not_by_rounding(
    share: float, batch: int, places: int
) -> None:
    overrides = [f"unroll.continued={share!r}", f"data.batch={batch}"]
    assert load_recipe("denoise-gray", overrides=overrides).places == places
