"""Book: the example of a book, of any size, in a folder of its own, worked on by real commands."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

from coordinator.ingest.trees import tree_hash
from shared import hashing
from shared.model.file import FileState
from tests.console import Console, Said

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "book"


def make_book() -> Any:
    """The module that writes a book."""
    spec = importlib.util.spec_from_file_location("make_book", EXAMPLE / "tools" / "make_book.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Book:
    """A source in `source/`, the site's project around it. Nothing is ingested yet."""

    def __init__(
        self,
        folder: Path,
        *,
        parts: int = 2,
        chapters: int = 2,
        lessons: int = 3,
        cache: Path | None = None,
        settings: str = "",
        **variables: str,
    ) -> None:
        self.folder = folder / "book"
        shutil.copytree(
            EXAMPLE, self.folder, ignore=shutil.ignore_patterns("source", "content", "static", "site", ".windrow")
        )
        if settings:
            with (self.folder / "windrow.toml").open("a") as file:
                file.write(settings)
        self.source = self.folder / "source"
        self.valid = make_book().make(self.source, parts, chapters, lessons) if parts else 0
        self.parts, self.chapters, self.lessons = parts, chapters, lessons
        self.console = Console(self.folder, cache or folder / "cache", **variables)

    def run(self, *words: str, code: int = 0, **env: str) -> Said:
        said = self.console.run(*words, env=env)
        assert said.code == code, f"windrow {' '.join(words)}: exit {said.code}\n{said.out}\n{said.err}"
        return said

    def ingest(self, *words: str) -> Any:
        return self.run("ingest", "--json", *words).json()

    def hydrate(self, *words: str) -> Any:
        return self.run("hydrate", "--json", *words).json()

    def build(self, *words: str) -> Any:
        return self.run("build", "--json", "-q", *words).json()

    def changes(self, *words: str) -> Any:
        return self.run("changes", "--json", *words).json()

    def edit(self, path: str, text: str) -> None:
        """Put a text into the body of a lesson; its size stays, its title too."""
        file = self.source / path
        data = file.read_bytes()
        file.write_bytes(data[: -len(text) - 1] + text.encode() + b"\n")

    def retitle(self, path: str, title: str) -> None:
        """Give a lesson another title."""
        file = self.source / path
        file.write_bytes(f"# {title}".encode() + file.read_bytes()[file.read_bytes().index(b"\n") :])

    def lesson(self, part: int, chapter: int, lesson: int) -> str:
        """The path of a lesson in the source."""
        return f"Part-{part:02d}-Of-The-Book/Chapter-{chapter:02d}-Of-Part-{part:02d}/{lesson:02d}-lesson.md"

    def hydrated(self, folder: Path | None = None) -> dict[str, bytes]:
        """What lies under content/ and static/, by path."""
        root = folder or self.folder
        found = [path for name in ("content", "static") for path in (root / name).rglob("*") if path.is_file()]
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}

    def tree_hash(self, folder: Path | None = None) -> str:
        """The hash of what is hydrated."""
        files = self.hydrated(folder)
        return tree_hash({path: FileState(hashing.of_bytes(data), len(data)) for path, data in files.items()})

    def state(self) -> Any:
        import json

        return json.loads((self.folder / ".windrow/hydrate.json").read_text())

    def age(self) -> None:
        """Give every file of the source a time that is long past."""
        for path in self.source.rglob("*"):
            os.utime(path, (1_700_000_000, 1_700_000_000))
