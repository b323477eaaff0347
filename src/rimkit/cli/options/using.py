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
        description="Denoise an image; with --scale, enlarge it; with --missing, fill in its "
        "missing pixels. Takes several images, too, or every image of a folder. Files are written "
        "whole or not at all; of several images, those whose outputs exist are skipped.",
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
        help="output file or folder; for several images, a folder (default: beside IN, as "
        "IN-restored; with --scale 2, as IN-x2; with --missing, as IN-filled)",
    )
    parser.add_argument(
        "--sigma",
        type=values.sigma,
        default="auto",
        help="noise standard deviation in grey levels of 255, or auto (default): estimated from "
        "the image; with --scale, what the model was trained with; with --missing, none, so that "
        "pixels that are not missing stay as they are",
    )
    parser.add_argument(
        "--scale",
        type=values.scale,
        help="enlarge images by this factor, from 1 to 4 (default: denoise them)",
    )
    parser.add_argument(
        "--missing",
        metavar="MASK",
        type=values.path,
        help="fill in missing pixels; MASK is an image of the same size, white where pixels are "
        "missing and black elsewhere, or a folder of such images, named like those in IN",
    )
    parser.add_argument(
        "--model",
        help="a name from `rimkit models`, or a .safetensors or .onnx file (default: denoise-gray "
        "or denoise-color, depending on the image; with --scale, super-resolution; with "
        "--missing, inpainting)",
    )
    parser.add_argument(
        "--runtime",
        choices=["torch", "onnx"],
        help="what runs the steps; onnx exports a model by itself on first use (default: torch, or "
        "onnx for a .onnx file)",
    )
    parser.add_argument(
        "--steps", type=values.positive, help="number of steps (default: the model's)"
    )
    parser.add_argument(
        "--self-ensemble",
        action="store_true",
        help="restore in eight orientations and average the results: slightly better, at eight "
        "times the work",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="given several images, overwrite existing outputs"
    )
    parser.add_argument(
        "--memory",
        type=values.size,
        default="2GB",
        help="memory limit of the process, such as 800MB; an image that does not fit is solved in "
        "tiles (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        choices=["float32", "bfloat16", "auto"],
        help="precision of the network; auto: bfloat16 if the processor multiplies in it, else "
        "float32 (default: %(default)s)",
    )
    parser.add_argument(
        "--report",
        metavar="FILE",
        type=values.written,
        help="write the outcome for each file as JSON",
    )
    parser.add_argument(
        "--strip-metadata",
        action="store_true",
        help="leave out camera, position, author, date and resolution (the colour profile is kept)",
    )
    parser.add_argument("--quiet", action="store_true", help="print only warnings and failures")


def _add_models(commands: Commands) -> None:
    parser = commands.add_parser(
        "models",
        help="list the models in the package, or describe one",
        description="List the models in the package, or print the card of one, or what a weights "
        "file says about itself.",
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
    parser.add_argument("output", metavar="OUT", type=values.path, help="the .onnx file to write")


def _add_serve(commands: Commands) -> None:
    parser = commands.add_parser(
        "serve",
        help="serve a page that shows the inference step by step",
        description="Serve a page on which an image is restored step by step. With --export, write "
        "a page that does so entirely in the browser, as files for any web server.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--model",
        action="append",
        help="a name from `rimkit models`, or a .safetensors file; repeatable (default: all in "
        "the package)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, this machine only)",
    )
    parser.add_argument(
        "--port",
        type=values.port,
        default=8000,
        help="port to listen on; 0: any free port (default: %(default)s)",
    )
    parser.add_argument(
        "--name",
        action="append",
        type=values.host_name,
        default=[],
        help="a host name under which the page may be reached, besides localhost; repeatable",
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--pixels",
        type=values.positive,
        default=2_000_000,
        help="pixels of the largest image (default: %(default)s)",
    )
    limits.add_argument(
        "--memory",
        type=values.size,
        default="3GB",
        help="memory that one inference may take (default: %(default)s)",
    )
    limits.add_argument(
        "--seconds",
        type=values.seconds,
        default=120.0,
        help="time that one inference may take (default: %(default)s)",
    )
    limits.add_argument(
        "--upload",
        type=values.size,
        default="40MB",
        help="size of the largest file (default: %(default)s)",
    )
    limits.add_argument(
        "--waiting",
        type=values.positive,
        default=256,
        help="number of inferences that may wait (default: %(default)s)",
    )
    limits.add_argument(
        "--kept",
        type=values.size,
        default="500MB",
        help="size of results kept in memory, and of uploads on disk (default: %(default)s)",
    )
    limits.add_argument(
        "--connections",
        type=values.positive,
        default=500,
        help="connections open at a time (default: %(default)s)",
    )
    export = parser.add_argument_group("without a server")
    export.add_argument(
        "--export",
        metavar="DIR",
        type=values.path,
        help="write the page as files instead of serving it",
    )
    export.add_argument(
        "--onnxruntime-web",
        metavar="DIR",
        type=values.path,
        help="folder of the unpacked npm package (default: fetched by npm)",
    )
