"""Options of the commands that use models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rimkit.cli import values

if TYPE_CHECKING:
    from rimkit.cli.options.parser import Commands


def add(commands: Commands) -> None:
    """Add the commands that restore images and describe models."""
    _add_restore(commands)
    _add_models(commands)
    _add_export(commands)
    _add_serve(commands)


def _add_restore(commands: Commands) -> None:
    parser = commands.add_parser(
        "restore",
        help="restore noisy, small or damaged images, or folders of them",
        description="Restore a noisy image, or with --scale make an image larger, or with "
        "--missing fill in what is missing; or several images, or every image of a folder. Files "
        "are written whole or not at all; of several images, those whose outputs exist are "
        "skipped.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "sources", metavar="IN", type=values.path, nargs="+", help="image files and folders"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        type=values.path,
        help="file or folder, for several a folder (default: beside IN, as IN-restored, with "
        "--scale 2 IN-x2, with --missing IN-filled)",
    )
    parser.add_argument(
        "--sigma",
        type=values.sigma,
        default="auto",
        help="noise standard deviation in grey levels of 255, or auto: estimated, with --scale "
        "what the model was trained with, and with --missing none: what is not missing stays "
        "(default)",
    )
    parser.add_argument(
        "--scale",
        type=values.scale,
        help="make images so many times larger, from 1 to 4 (default: denoise them)",
    )
    parser.add_argument(
        "--missing",
        metavar="MASK",
        type=values.path,
        help="fill in pixels: an image of the same size, white where they are missing and black "
        "elsewhere, or a folder of such images by the names of those in IN",
    )
    parser.add_argument(
        "--model",
        help="a name from `rimkit models`, or a .safetensors or .onnx file (default: denoise-gray "
        "or denoise-color, as the image is, with --scale super-resolution, with --missing "
        "inpainting)",
    )
    parser.add_argument(
        "--runtime",
        choices=["torch", "onnx"],
        help="what runs the steps; onnx exports a model by itself, once (default: torch, and onnx "
        "for a .onnx file)",
    )
    parser.add_argument(
        "--steps", type=values.positive, help="number of steps (default: the model's)"
    )
    parser.add_argument(
        "--self-ensemble",
        action="store_true",
        help="restore in eight orientations and keep the mean: a little better, and eight times "
        "the work",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="of several images, write outputs that exist again"
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
        choices=["float32", "bfloat16", "auto"],
        help="in which the network computes; auto: in bfloat16 where the processor multiplies in "
        "it (default: %(default)s)",
    )
    parser.add_argument(
        "--report",
        metavar="FILE",
        type=values.written,
        help="write what became of each file as JSON",
    )
    parser.add_argument(
        "--strip-metadata",
        action="store_true",
        help="leave camera, position, author, date and resolution out (the colour profile stays)",
    )
    parser.add_argument("--quiet", action="store_true", help="warnings and failures alone")


def _add_models(commands: Commands) -> None:
    parser = commands.add_parser(
        "models",
        help="list the models in the package, or tell of one",
        description="List the models in the package; or print the card of one, or what a file of "
        "weights says of itself.",
        allow_abbrev=False,
    )
    parser.add_argument("name", nargs="?", help="a name from the list, or a .safetensors file")


def _add_export(commands: Commands) -> None:
    parser = commands.add_parser(
        "export",
        help="write one step of a model as an ONNX file",
        description="Write one step of a model, from the score on, as an ONNX file for images of "
        "any size, and check the file against torch.",
        allow_abbrev=False,
    )
    parser.add_argument("model", help="a name from `rimkit models`, or a .safetensors file")
    parser.add_argument("output", metavar="OUT", type=values.path, help="a .onnx file")


def _add_serve(commands: Commands) -> None:
    parser = commands.add_parser(
        "serve",
        help="open a page on which one watches the inference",
        description="Serve a page on which an image is restored step by step. With --export, write "
        "a page that does it in the browser alone, as files for any web server.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--model",
        action="append",
        help="a name from `rimkit models`, or a .safetensors file; repeatable (default: all that "
        "are in the package)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default: %(default)s, this machine alone)",
    )
    parser.add_argument(
        "--port", type=values.port, default=8000, help="0: any that is free (default: %(default)s)"
    )
    parser.add_argument(
        "--name",
        action="append",
        type=values.host_name,
        default=[],
        help="a host name by which the page may be called, besides localhost; repeatable",
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--pixels",
        type=values.positive,
        default=2_000_000,
        help="of the largest image (default: %(default)s)",
    )
    limits.add_argument(
        "--memory",
        type=values.size,
        default="3GB",
        help="that one inference may take (default: %(default)s)",
    )
    limits.add_argument(
        "--seconds",
        type=values.seconds,
        default=120.0,
        help="that one inference may take (default: %(default)s)",
    )
    limits.add_argument(
        "--upload", type=values.size, default="40MB", help="largest file (default: %(default)s)"
    )
    limits.add_argument(
        "--waiting",
        type=values.positive,
        default=256,
        help="inferences that may wait (default: %(default)s)",
    )
    limits.add_argument(
        "--kept",
        type=values.size,
        default="500MB",
        help="of results in memory, and of uploads on disk (default: %(default)s)",
    )
    limits.add_argument(
        "--connections",
        type=values.positive,
        default=500,
        help="open at a time (default: %(default)s)",
    )
    export = parser.add_argument_group("without a server")
    export.add_argument(
        "--export",
        metavar="DIR",
        type=values.path,
        help="write the page as files, and serve nothing",
    )
    export.add_argument(
        "--onnxruntime-web",
        metavar="DIR",
        type=values.path,
        help="where its npm package lies unpacked (default: npm fetches it)",
    )
