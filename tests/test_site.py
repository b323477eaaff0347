"""The documentation site: built strictly, from nobody else's machines, and with all there is."""

import argparse
import html
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

import rimkit
from rimkit import weights
from rimkit.cli.main import build_parser
from rimkit.evaluation import published

pytest.importorskip("mkdocs", reason="needs rimkit[docs]")

ROOT = Path(__file__).parents[1]

# What a browser fetches by itself when it shows a page.
FETCHED = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "input": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "video": "src",
}


def build(target: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "-d", target],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


class Fetched(HTMLParser):
    """Collects the addresses that a page fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if FETCHED.get(tag) in values:
            self.addresses.append(values[FETCHED[tag]])
        self.addresses += [part.split()[0] for part in values.get("srcset", "").split(",") if part]
        self.addresses += re.findall(r"url\(([^)]+)\)", values.get("style", ""))


def fetched(site: Path) -> Iterator[tuple[Path, str]]:
    for path in site.rglob("*.html"):
        parser = Fetched()
        parser.feed(path.read_text())
        yield from ((path, address) for address in parser.addresses)
    for path in site.rglob("*.css"):
        text = path.read_text()
        for address in re.findall(r"url\(([^)]+)\)|@import\s+([^;]+)", text):
            yield path, "".join(address).strip("\"' ")


def shown(page: Path) -> str:
    """The text of a page's article."""
    article = re.search(r"<article.*?</article>", page.read_text(), re.DOTALL)
    assert article is not None
    return html.unescape(re.sub(r"<[^>]+>", "", article.group(0)))


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    local = 0
    for path, address in fetched(site):
        assert not re.match(r"\s*(\w+:)?//", address), f"{path.name} fetches {address}"
        if not address.startswith(("data:", "#")):
            base = site if address.startswith("/") else path.parent  # 404.html is shown anywhere
            file = base / re.split(r"[?#]", address)[0].lstrip("/")
            assert file.exists(), f"{path.name} fetches {address}"
            local += 1
    assert local > 50
    # Diagrams and formulas would bring their programs from elsewhere, at sight.
    for path in site.rglob("*.html"):
        assert not re.search(r'class="[^"]*\b(mermaid|arithmatex)\b', path.read_text())


def test_every_command_and_every_option_is_there(site: Path) -> None:
    text = shown(site / "commands.html")
    parser = build_parser()
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    assert len(commands.choices) > 5
    for name, command in commands.choices.items():
        section = re.search(rf"rimkit {name}¶(.*?)(\nrimkit \w+¶|\Z)", text, re.DOTALL)
        assert section is not None, name
        for action in command._actions:
            for option in action.option_strings or [action.metavar or action.dest]:
                if action.dest != "help":
                    assert re.search(rf"(?<![\w-]){re.escape(str(option))}\b", section.group(1)), (
                        f"rimkit {name} {option}"
                    )
            if action.help and action.dest != "help":
                expected = action.help % {**vars(action), "prog": "rimkit"}
                assert expected[1:].replace("`", "") in section.group(1)


def test_every_public_name_is_there_with_its_words(site: Path) -> None:
    page = (site / "reference.html").read_text()
    text = " ".join(shown(site / "reference.html").split())
    for name in rimkit.__all__:
        assert f'id="rimkit.{name}"' in page
        summary = (getattr(rimkit, name).__doc__ or "").splitlines()[0]
        assert " ".join(summary.replace("`", "").split()) in text, name


def test_every_model_is_there_beside_the_published(site: Path) -> None:
    text = shown(site / "models.html")
    for name in weights.model_names():
        card = weights.card(name)
        for value in (card.sha256, card.licence, card.data, f"{card.parameters:,}"):
            assert value in text
        for score in card.scores.values():
            assert f"{score:.2f}" in text or f"{score:.4g}" in text
    for score in published.denoise_gray():
        assert score.method in text
        assert f"{score.psnr:.2f}" in text


def test_every_example_is_there(site: Path) -> None:
    text = shown(site / "examples.html")
    for path in (ROOT / "examples").glob("*.py"):
        assert path.read_text().strip() in text, path.name
        assert (site / "examples" / path.name).exists()


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    documents = tmp_path / "docs"
    documents.mkdir()
    (documents / "index.md").write_text("[away](away.md)")
    config = (ROOT / "mkdocs.yml").read_text()
    config = re.sub(r"^(nav|hooks|plugins):.*?\n\n", "", config, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "mkdocs.yml").write_text(config)
    done = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert done.returncode == 1
    assert "away.md" in done.stderr


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_of_the_house_is_that_of_the_code() -> None:
    house = load(ROOT / "tools" / "house.py")
    rooms = house.order()
    modules = {
        path.stem
        for path in house.SOURCE.iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    assert set(rooms) == modules
    uses = house.graph(rooms)
    assert "solver" in uses["rim"]
    assert "problem" not in uses["rim"], "it comes with the solver"
    drawn = house.draw()
    for room in rooms:
        assert f">{room}</text>" in drawn
    assert drawn == house.PICTURE.read_text(), "run python tools/house.py"
