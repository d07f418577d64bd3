"""Writes the source of a book of any size, the same for the same numbers: `make_book.py FOLDER [PARTS CHAPTERS LESSONS]`."""

from __future__ import annotations

import hashlib
import struct
import sys
import zlib
from pathlib import Path

LESSON, SUMMARY, IMAGE = 3930, 600, 371  # bytes
_WORDS = (
    "a build that does nothing twice is worth more than one that does everything fast "
    "what did not change needs no work and what changed names what depends on it so the plan is the difference "
    "between two states and never a guess each file is known by its content not by its time a result is kept under "
    "the name of all that went into it and who asks for the same again gets the same again from anywhere"
).split()


def make(folder: Path, parts: int = 12, chapters: int = 10, lessons: int = 10) -> int:
    """Write the book; the number of files that go into it (a README, an orphan and a note do not)."""
    count = 0
    for part in range(1, parts + 1):
        part_folder = folder / f"Part-{part:02d}-Of-The-Book"
        _write(part_folder / "README.md", f"# Part {part}\n".encode())
        for chapter in range(1, chapters + 1):
            place = part_folder / f"Chapter-{chapter:02d}-Of-Part-{part:02d}"
            _write(place / "README.md", f"# Chapter {chapter}\n".encode())
            image = f"diagram-{part:02d}-{chapter:02d}.png"
            number = (part - 1) * chapters + chapter
            # 102 of the 120 images of the whole book have a byte more.
            _write(place / "img" / image, picture(number, IMAGE + (number <= 102)))
            _write(place / "01-lesson.summary.md", text(f"Summary of chapter {part}.{chapter}", number, SUMMARY))
            for lesson in range(1, lessons + 1):
                title = f"Lesson {part}.{chapter}.{lesson}"
                seed = number * 1000 + lesson
                _write(place / f"{lesson:02d}-lesson.md", text(title, seed, LESSON, f"static/img/{image}"))
            count += lessons + 2
    _write(folder / "Part-01" / "01-orphan.md", b"# A lesson without a chapter\n")
    _write(folder / "notes.txt", b"no part of the book\n")
    _write(folder / ".git" / "HEAD", b"ref: refs/heads/main\n")
    _write(folder / "node_modules" / "left-pad" / "index.md", b"# not ours\n")
    return count


def text(title: str, seed: int, size: int, image: str = "") -> bytes:
    """A lesson of exactly so many bytes."""
    lines = [f"# {title}", ""]
    if image:
        lines += [f"![A diagram]({image})", ""]
    written = "\n".join(lines) + "\n"
    number = seed
    while len(written) < size:
        number, words = (number * 1103515245 + 12345) % (1 << 31), []
        for _ in range(60):
            number = (number * 1103515245 + 12345) % (1 << 31)
            words.append(_WORDS[(number >> 8) % len(_WORDS)])
        written += " ".join(words).capitalize() + ".\n\n- see [the index](index.html)\n\n"
    return (written[: size - 1] + "\n").encode()


def picture(seed: int, size: int) -> bytes:
    """A PNG of exactly so many bytes: 8 by 8 pixels, and a comment that fills it up."""
    pixels = hashlib.sha256(str(seed).encode()).digest() * 6
    rows = b"".join(b"\0" + pixels[at : at + 24] for at in range(0, 192, 24))
    chunks = [_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)), _chunk(b"IDAT", zlib.compress(rows, 0))]
    rest = size - 8 - sum(map(len, chunks)) - 12 - 12
    comment = (b"Comment\0" + b"." * rest)[:rest]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*chunks[:1], _chunk(b"tEXt", comment), *chunks[1:], _chunk(b"IEND", b"")])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), *map(int, sys.argv[2:])), "files")
