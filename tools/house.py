"""Draw the house: every module of rimkit, with its purpose and its imports, from the code.

python tools/house.py writes docs/images/house.svg. tests/test_public.py holds the order of the
modules, and checks that no import points back.
"""

import ast
import math
import sys
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "rimkit"
PICTURE = ROOT / "docs" / "images" / "house.svg"

WIDTH, GAP, MARGIN, LINE = 1000, 14, 8, 14
MOST = 5  # rooms side by side
STYLE = """
text { font-family: system-ui, sans-serif; font-size: 11px; fill: #333 }
.name { font-size: 14px; font-weight: 600; fill: #1a237e }
.uses { fill: #5c6bc0 }
rect { fill: #f5f6fc; stroke: #7986cb }
path { fill: none; stroke: #7986cb; stroke-width: 1.2; opacity: 0.6 }
"""  # light rooms that suit both light and dark pages

Graph = dict[str, set[str]]


def order() -> list[str]:
    """Every module, from those that import none of ours to those that none imports."""
    tree = ast.parse((ROOT / "tests" / "test_public.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ORDER":
            rooms: list[str] = ast.literal_eval(node.value)
            return rooms
    raise ValueError("tests/test_public.py has no ORDER")


def files(room: str) -> list[Path]:
    folder = SOURCE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [SOURCE / f"{room}.py"]


def purpose(room: str) -> str:
    """The first line of a module's docstring."""
    path = SOURCE / room / "__init__.py"
    text = ast.get_docstring(ast.parse((path if path.exists() else files(room)[0]).read_text()))
    assert text, room
    return text.splitlines()[0].replace("`", "")


def imported(path: Path) -> Iterator[str]:
    """Modules of rimkit that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "rimkit":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            package, _, module = node.module.partition(".")
            if package == "rimkit":
                yield module.partition(".")[0]


def graph(rooms: list[str]) -> Graph:
    """What every room imports directly and not also through another room that it imports."""
    direct = {
        room: {name for path in files(room) for name in imported(path) if name in rooms} - {room}
        for room in rooms
    }
    reached: Graph = {}
    for room in rooms:  # in order: what a room imports comes before it
        reached[room] = direct[room].union(*(reached[other] for other in direct[room]))
    return {
        room: {name for name in others if not any(name in reached[o] for o in others - {name})}
        for room, others in direct.items()
    }


def floors(rooms: list[str], uses: Graph) -> list[list[str]]:
    """Rooms by floor: each right above the first that uses it, or else below what it uses."""
    depth: dict[str, int] = {}
    for room in rooms:
        depth[room] = max((depth[other] for other in uses[room]), default=-1) + 1
    for room in reversed(rooms):
        users = [depth[other] for other in rooms if room in uses[other]]
        depth[room] = min(users, default=depth[room] + 1) - 1
    return [[room for room in rooms if depth[room] == level] for level in sorted({*depth.values()})]


def rows(rooms: list[str], uses: Graph) -> Iterator[list[str]]:
    """Yield the floors, those with many rooms in several rows."""
    for floor in floors(rooms, uses):
        each = math.ceil(len(floor) / math.ceil(len(floor) / MOST))
        yield from (floor[first : first + each] for first in range(0, len(floor), each))


def draw() -> str:
    """Return the picture as SVG."""
    rooms = order()
    uses = graph(rooms)
    boxes: dict[str, tuple[float, float, float, float]] = {}
    words: list[str] = []
    top = float(MARGIN)
    for row in rows(rooms, uses):
        width = min((WIDTH - 2 * MARGIN - GAP * (len(row) - 1)) / len(row), 320)
        left = (WIDTH - width * len(row) - GAP * (len(row) - 1)) / 2
        texts = {room: _lines(room, uses[room], width) for room in row}
        tall = LINE * max(map(len, texts.values())) + 14
        for room in row:
            boxes[room] = (left, top, width, tall)
            words.append(_room(left, top, width, tall, texts[room]))
            left += width + GAP
        top += tall + 34
    ways = [_way(boxes[room], boxes[other]) for room in rooms for other in sorted(uses[room])]
    size = f'viewBox="0 0 {WIDTH} {top - 34 + MARGIN:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    title = "<title>Modules of rimkit, and what each imports</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", *ways, *words, "</svg>", ""])


def _lines(room: str, uses: set[str], width: float) -> list[tuple[str, str]]:
    """Kind and text of every line in a room."""
    most = int((width - 16) / 6)
    lines = [("name", room)] + [("", line) for line in textwrap.wrap(purpose(room), most)]
    if uses:
        text = f"uses {', '.join(sorted(uses))}"
        lines += [("uses", line) for line in textwrap.wrap(text, most)]
    return lines


def _room(left: float, top: float, width: float, tall: float, lines: list[tuple[str, str]]) -> str:
    words = [
        f'<text x="{left + 8:.1f}" y="{top + 17 + LINE * number:.1f}" '
        f'class="{kind}">{escape(text)}</text>'
        for number, (kind, text) in enumerate(lines)
    ]
    box = f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{tall:.1f}" rx="5"/>'
    return "\n".join([box, *words])


def _way(room: tuple[float, ...], other: tuple[float, ...]) -> str:
    """From the roof of a room up to the floor of one that it imports."""
    x, y = room[0] + room[2] / 2, room[1]
    to_x, to_y = other[0] + other[2] / 2, other[1] + other[3]
    bend = f"{x:.1f} {y - 24:.1f} {to_x:.1f} {to_y + 24:.1f}"
    return f'<path d="M{x:.1f} {y:.1f}C{bend} {to_x:.1f} {to_y:.1f}"/>'


if __name__ == "__main__":
    PICTURE.write_text(draw())
    sys.stdout.write(f"{PICTURE.relative_to(ROOT)}\n")
