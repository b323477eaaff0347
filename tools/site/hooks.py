"""mkdocs hooks: add the pages generated from the code, and files from outside docs/."""

from __future__ import annotations

from pathlib import Path

import command_page
import example_page
import model_page
import reference_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]

LINKED = (".csv", ".ipynb", ".png", ".py", ".txt")

PAGES = {
    "commands.md": command_page.page,
    "examples.md": lambda: example_page.page(ROOT / "examples"),
    "models.md": model_page.page,
    "reference.md": reference_page.page,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add generated pages, and files outside the folder of documents that pages link to."""
    for name, write in PAGES.items():
        files.append(File.generated(config, name, content=write()))
    for name in ("CHANGELOG.md", "CONTRIBUTING.md"):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for folder in ("examples", "results"):
        for path in sorted((ROOT / folder).rglob("*.*")):
            if path.suffix in LINKED:
                name = path.relative_to(ROOT).as_posix()
                files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links that leave docs/, valid in the repository, to match the layout of the site."""
    return markdown.replace("](../", "](")
