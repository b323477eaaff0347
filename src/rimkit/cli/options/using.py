"""Options of the commands that use models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rimkit.cli import values

if TYPE_CHECKING:
    from rimkit.cli.options.parser import Commands


def add(commands: Commands) -> None:
    """Add the commands that restore images and tell of models."""
    _add_restore(commands)
    _add_models(commands)


def _add_restore(commands: Commands) -> None:
    parser = commands.add_parser(
        "restore",
        help="restore a noisy image, or a folder of them",
        description="Restore a noisy image, or every image of a folder. Files are written whole or "
        "not at all; in a folder, outputs that exist are skipped.",
        allow_abbrev=False,
    )
    parser.add_argument("source", metavar="IN", type=Path, help="image file or folder")
    parser.add_argument(
        "-o", "--output", metavar="OUT", type=Path, help="file or folder (default: IN-restored)"
    )
    parser.add_argument(
        "--sigma",
        type=values.sigma,
        default="auto",
        help="noise standard deviation in grey levels of 255, or auto: estimated (default)",
    )
    parser.add_argument(
        "--model",
        default="denoise-gray",
        help="a name from `rimkit models`, or a .safetensors file (default: %(default)s)",
    )
    parser.add_argument(
        "--steps", type=values.positive, help="number of steps (default: the model's)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="in a folder, write outputs that exist again"
    )
    parser.add_argument(
        "--memory",
        type=values.size,
        default="2GB",
        help="the most that the process may hold, such as 800MB: what does not fit is solved in "
        "tiles (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        choices=["float32", "bfloat16"],
        help="in which the network computes (default: %(default)s)",
    )
    parser.add_argument(
        "--report", metavar="FILE", type=Path, help="write what became of each file as JSON"
    )
    parser.add_argument(
        "--strip-metadata",
        action="store_true",
        help="leave camera, position, author and date out (the colour profile stays)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")


def _add_models(commands: Commands) -> None:
    parser = commands.add_parser(
        "models", help="list the models in the package", allow_abbrev=False
    )
    parser.add_argument("name", nargs="?", help="print the card of one model")
