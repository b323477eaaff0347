"""The examples page: the scripts and the notebook as they are in the repository."""

from __future__ import annotations

import json
from pathlib import Path

INTRODUCTION = """# Examples

Continuous integration runs all of them. Each needs `pip install '.[plot,baselines]'`, the training
also `.[train]`; nothing is downloaded. Pictures are written into the folder `demo`.
"""

SCRIPTS = (
    "denoise",
    "super_resolve",
    "fill_in",
    "compressed_sensing",
    "own_operator",
    "own_training",
    "demo",
)


def page(folder: Path) -> str:
    """Return the page as Markdown."""
    parts = [INTRODUCTION]
    for name in SCRIPTS:
        text = (folder / f"{name}.py").read_text()
        parts.append(f"## {name}.py\n\n```python\n{text}```\n")
    parts.append("## walk.ipynb\n\n[The notebook](examples/walk.ipynb), without its pictures:\n")
    for cell in json.loads((folder / "walk.ipynb").read_text())["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code":
            parts.append(f"```python\n{text}\n```\n")
        else:
            parts.append(text.replace("# ", "## ", 1).replace("](../docs/", "](") + "\n")
    return "\n".join(parts)
