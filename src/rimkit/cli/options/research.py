"""Options of the commands that train and measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rimkit.cli import values
from rimkit.reproduction.catalogue import REPRODUCTIONS

if TYPE_CHECKING:
    from rimkit.cli.options.parser import Commands, Parser


def add(commands: Commands) -> None:
    """Add the commands that train, evaluate, compare and measure."""
    _add_train(commands)
    _add_evaluate(commands)
    _add_reproduce(commands)
    _add_experiments(commands)
    _add_bench(commands)
    _add_data(commands)


def _add_train(commands: Commands) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model on clean images",
        description="Train a model from a recipe. Only clean images are needed: measurements are "
        "simulated.",
        allow_abbrev=False,
    )
    parser.add_argument("recipe", help="name of a recipe, such as denoise-gray, or a .toml file")
    _add_images(parser)
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=values.path,
        help="folder of the training (default: runs/RECIPE, or runs/RECIPE-MODEL with --model)",
    )
    parser.add_argument(
        "--model",
        choices=["rim", "gdn", "ffn", "ffn-wide"],
        help="the recipe's network (rim), or the same without a part: gdn does not see the "
        "estimate, ffn has no state, ffn-wide has no state but as many parameters; with --resume, "
        "selects the folder",
    )
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        dest="overrides",
        action="append",
        default=[],
        help="override a value of the recipe, such as optimizer.updates=1000; repeatable",
    )
    parser.add_argument(
        "--minutes", type=values.minutes, help="save a checkpoint and stop after this many minutes"
    )
    parser.add_argument(
        "--devices", default="1", help="how many devices, or which: Lightning's devices"
    )
    parser.add_argument("--nodes", type=values.positive, default=1, help="number of machines")
    parser.add_argument("--accelerator", default="auto", help="cpu, gpu, ... (default: auto)")
    parser.add_argument("--strategy", default="auto", help="Lightning's strategy (default: auto)")
    parser.add_argument(
        "--precision",
        default="auto",
        choices=["auto", "32-true", "bf16-mixed"],
        help="precision of training (default: bf16-mixed if the processor computes in bf16, else "
        "32-true)",
    )
    parser.add_argument("--quiet", action="store_true", help="do not show progress")


def _add_evaluate(commands: Commands) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="score a denoiser on the test images, or a model on your own images",
        description="Score a denoiser on the test images of BSDS300 and print its row beside the "
        "published ones. With --data, score any model on your own images, on the problems that its "
        "training is validated on.",
        allow_abbrev=False,
    )
    parser.add_argument("model", help="a name from `rimkit models`, or a .safetensors file")
    parser.add_argument(
        "--data", metavar="DIR", type=values.path, help="folder of your own clean images"
    )
    parser.add_argument(
        "--images", type=int, choices=[68, 100], help="how many test images (default: 100)"
    )
    parser.add_argument(
        "--steps", type=values.positive, help="number of steps (default: the model's)"
    )
    parser.add_argument(
        "--self-ensemble",
        action="store_true",
        help="restore in eight orientations and average the results",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        choices=["float32", "bfloat16"],
        help="precision of the network (default: %(default)s)",
    )
    parser.add_argument(
        "--quantised", action="store_true", help="also score on noisy images rounded to 8 bits"
    )
    parser.add_argument(
        "--csv", metavar="FILE", type=values.written, help="also write the rows to a file"
    )
    parser.add_argument(
        "--per-image",
        metavar="FILE",
        type=values.written,
        help="write the score of every image to a file",
    )


def _add_reproduce(commands: Commands) -> None:
    parser = commands.add_parser(
        "reproduce",
        help="measure a table or figure of the paper, or one that goes beyond it",
        description="Measure a table or figure, and write it to a folder with the commit, the "
        "machine and the time. Scores of single images that are already there are not measured "
        "again.",
        allow_abbrev=False,
    )
    parser.add_argument("what", choices=sorted(REPRODUCTIONS), metavar="WHAT", help=_listed())
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=values.path,
        help="folder to write the results to (default: results; required with --images)",
    )
    parser.add_argument(
        "--images",
        type=values.test_images,
        help="use only the first IMAGES test images: a quick look, not a result",
    )
    parser.add_argument(
        "--only-ours",
        dest="others",
        action="store_false",
        help="leave out the methods of other packages, which take hours",
    )
    parser.add_argument(
        "--add",
        metavar="MODEL",
        dest="models",
        action="append",
        default=[],
        help="add another model (.safetensors) as a row of its own; repeatable",
    )


def _listed() -> str:
    return "; ".join(f"{name}: {what.title}" for name, what in sorted(REPRODUCTIONS.items()))


def _add_experiments(commands: Commands) -> None:
    parser = commands.add_parser(
        "experiments",
        help="train many variants of a recipe for a short time each, and compare them",
        description="Run a study: a short training for each of its choices, all with the same "
        "budget, scored on held-out training images. Finished trainings are not repeated.",
        allow_abbrev=False,
    )
    parser.add_argument("study", help="name of a study, such as recipe, or a .toml file")
    _add_images(parser)
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=values.path,
        help="folder of the trainings (default: runs/experiments/STUDY)",
    )
    parser.add_argument(
        "--jobs",
        type=values.positive,
        default=1,
        help="number of trainings at a time (default: %(default)s)",
    )
    parser.add_argument(
        "--seeds", type=values.positive, help="train each choice with at most this many seeds"
    )
    parser.add_argument(
        "--only",
        metavar="CHOICE",
        action="append",
        default=[],
        help="train only this choice; repeatable",
    )
    parser.add_argument(
        "--text", metavar="FILE", type=values.written, help="also write the table to a file"
    )
    parser.add_argument(
        "--csv",
        metavar="FILE",
        type=values.written,
        help="write the scores of every validation to a file",
    )
    parser.add_argument(
        "--from",
        dest="read",
        metavar="FILE",
        type=values.path,
        help="train nothing: make the table and figure from a file that --csv wrote",
    )
    parser.add_argument(
        "--again",
        metavar="CHOICE",
        action="append",
        default=[],
        help="with --from, train this choice again and replace its results; repeatable",
    )
    parser.add_argument(
        "--figure",
        metavar="FILE",
        type=values.path,
        help="draw the gains to a file, or the curves if the study validates more than once",
    )


def _add_bench(commands: Commands) -> None:
    parser = commands.add_parser(
        "bench",
        help="measure what training and restoring cost on this machine",
        description="train: throughput of every update network against a plain implementation and "
        "against its convolutions alone, where an update's time goes, and peak memory by steps. "
        "restore: megapixels per second beside other methods that are installed, and memory and "
        "time against the size of an image.",
        allow_abbrev=False,
    )
    parser.add_argument("what", choices=["train", "restore"])
    parser.add_argument(
        "--rounds",
        type=values.positive,
        default=5,
        help="rounds of all timings (default: %(default)s)",
    )
    parser.add_argument(
        "--text", metavar="FILE", type=values.written, help="also write the output to a file"
    )
    train = parser.add_argument_group("train")
    train.add_argument(
        "--networks",
        nargs="+",
        choices=["paper", "atrous", "compact"],
        default=["paper", "atrous", "compact"],
        help="networks to measure (default: all)",
    )
    train.add_argument(
        "--compiled", action="store_true", help="also time torch.compile (needs a C++ compiler)"
    )
    train.add_argument(
        "--no-memory", dest="memory", action="store_false", help="do not measure memory"
    )
    restore = parser.add_argument_group("restore")
    restore.add_argument(
        "--megapixels",
        nargs="*",
        type=values.positive,
        default=[1, 4, 10, 25, 50, 100],
        help="image sizes at which to measure memory and time (default: %(default)s)",
    )
    restore.add_argument(
        "--scale",
        type=values.scale,
        help="measure memory and time of rimkit restore --scale instead; --megapixels are then the "
        "sizes of the results",
    )
    restore.add_argument(
        "--figure", metavar="FILE", type=values.path, help="draw memory and time to a PNG"
    )


def _add_data(commands: Commands) -> None:
    parser = commands.add_parser(
        "data", help="download a data set into the cache folder", allow_abbrev=False
    )
    parser.add_argument("name", choices=["bsds300"])


def _add_images(parser: Parser) -> None:
    parser.add_argument(
        "--data",
        metavar="DIR",
        action="append",
        default=[],
        help="folder of clean images, or bsds300 (default) for its training images; repeatable. "
        "With bsds300 among other folders, images are held out from it alone",
    )
