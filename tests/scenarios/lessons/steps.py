"""What a book's tests do and look at: ingest and hydrate in this process, and the eight rows of W1-06."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from coordinator.hydrate.hydrate import HydrateRequest, hydrate
from coordinator.ingest import sync
from coordinator.ingest.mapping import Mapper
from coordinator.ingest.sync import IngestRequest, ingest
from coordinator.project import Project
from shared import hashing
from shared.clock import SystemClock
from shared.settings_load import load
from tests.scenarios.book import Book, make_book


def project(book: Book, **more: str) -> Project:
    environ = {**book.console.environment(), **more}
    return Project(load(book.folder, flags={}, environ=environ), environ=environ, clock=SystemClock())


def ingest_here(
    book: Book, folder: Path | None = None, *, mapper: Mapper | None = None, **more: Any
) -> sync.IngestReport:
    return ingest(project(book), IngestRequest(folder or book.source, **more), mapper or Mapper())


def hydrate_here(book: Book, folder: Path | None = None, **more: Any) -> Any:
    to = folder or book.folder
    return hydrate(project(book), HydrateRequest(to, to / ".windrow/hydrate.json", **more))


def blob(book: Book, hash_: str) -> Path:
    digits = hashing.bare(hash_)
    return book.console.cache / "store" / "blobs" / digits[:2] / digits


def files_under(*folders: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_size)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


class Site:
    """A book that is ingested, hydrated and built once; each case begins from there."""

    def __init__(self, folder: Path, parts: int, chapters: int, lessons: int, **more: Any) -> None:
        self.book = Book(folder, parts=parts, chapters=chapters, lessons=lessons, **more)
        self.pages = parts * chapters * (lessons + 1)
        self.jobs = self.pages + parts * chapters + parts + 1

    def round(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """What an ingest, a hydrate and a build told."""
        return self.book.ingest(), self.book.hydrate(), self.book.build()


def how(built: dict[str, Any]) -> tuple[int, int, int]:
    return built["planned"], built["executed"], built["reused"]["cut_off"]


def table(site: Site, fresh: Any) -> None:
    """The eight rows of the table of W1."""
    book = site.book
    # clean build
    put, _, built = site.round()
    assert how(built) == (site.jobs, site.jobs, 0)
    parts, chapters = book.parts, book.parts * book.chapters
    assert built["layers"] == [site.pages, chapters, parts, 1]
    assert (put["revision"], built["revision"]) == ("rev-0001", "rev-0002")
    # no change
    put, got, built = site.round()
    assert (put["status"], got["status"], built["status"], built["revision"]) == (
        "no-changes",
        "up-to-date",
        "no-changes",
        None,
    )
    # bodies edited: three chapters of three parts, or as many as there are
    edited = [book.lesson(part, 1, 1) for part in range(1, min(parts, 3) + 1)]
    for path in edited:
        book.edit(path, "a body of other words")
    put, got, built = site.round()
    count = len(edited)
    assert (put["updated"], put["bytes"], got["bytes"]) == (count, 3930 * count, 3930 * count)
    assert how(built) == (3 * count + 1, count, 2 * count + 1)
    # a title edited
    book.retitle(book.lesson(1, 1, 2), "Another title")
    assert how(site.round()[2]) == (4, 2, 2)
    # a lesson deleted
    (book.source / book.lesson(1, 2, 2)).unlink()
    put, got, built = site.round()
    assert (put["deleted"], got["removed"], how(built), built["outputs_removed"]) == (1, 1, (3, 3, 0), 2)
    assert book.run("show", "--json").json()["jobs"].keys() >= {"book:site/index.html"}
    # a lesson added
    (book.source / book.lesson(2, 1, 99)).write_bytes(make_book().text("Added", 7, 3930))
    assert how(site.round()[2]) == (4, 4, 0)
    # an image replaced
    image = next(book.source.rglob("diagram-01-01.png"))
    image.write_bytes(make_book().picture(4711, len(image.read_bytes())))
    put, got, built = site.round()
    assert (put["sent"], put["revision"] is not None, got["downloaded"], built["status"]) == (1, True, 1, "no-changes")
    # a fresh checkout, the shared cache warm
    checkout = fresh()
    checkout.hydrate()
    built = checkout.build("--branch", "fresh")  # where nobody knows what was built
    reused = built["reused"]
    assert (built["planned"], built["executed"], reused["local"] + reused["remote"]) == (site.jobs, 0, site.jobs)
    pages = {
        path.relative_to(book.folder): path.read_bytes() for path in (book.folder / "site").rglob("*") if path.is_file()
    }
    assert pages == {
        path.relative_to(checkout.folder): path.read_bytes()
        for path in (checkout.folder / "site").rglob("*")
        if path.is_file()
    }
    # and where the branch has a revision that knows every one of them
    shutil.rmtree(checkout.folder / "site")
    shutil.rmtree(checkout.folder / ".windrow")
    built = checkout.build()
    reused = built["reused"]
    assert (built["planned"], built["executed"], reused["local"] + reused["remote"]) == (site.jobs, 0, site.jobs)


def make_long(book: Book) -> None:
    """Give the second lesson of the first chapter 50 MB."""
    line = b"one line of a lesson that does not come to its end, and on it goes, and on, and on\n"
    with (book.source / book.lesson(1, 1, 2)).open("wb") as file:
        file.write(b"# Long\n\n")
        for _ in range(50 * 1024 * 1024 // len(line)):
            file.write(line)


def peak(book: Book, *words: str) -> int:
    """Bytes of memory that a command, or the largest of the processes it started, held at most."""
    program = "import resource, subprocess, sys; code = subprocess.run([sys.executable, '-m', 'windrow', *sys.argv[1:]]).returncode; "
    program += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=book.folder, env=book.console.environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]) * 1024
