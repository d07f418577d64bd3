"""The pages of the site: functions that jobs call, each with the paths of its inputs and outputs."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from typing import TextIO

_HEAD = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body>
"""
_FOOT = "</body>\n</html>\n"
_HEADING = re.compile(r"(#{1,6}) (.*)")
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")


def page(source: str, page_path: str, title_path: str) -> None:
    """A lesson in markdown to a page, line by line: a lesson may be larger than memory; and its title to a file."""
    title = _title(source)
    up = "../" * page_path.count("/")
    with open(page_path, "w", encoding="utf-8") as out:
        out.write(_HEAD.format(title=html.escape(title)))
        _body(_lines(source), out, up)
        out.write(_FOOT)
    _write(title_path, title + "\n")


def chapter(index_path: str, count_path: str, *titles: str) -> None:
    """The index of a chapter, from the titles of its lessons and summaries."""
    entries = []
    for path in titles:
        name = os.path.basename(path).removesuffix(".title")
        with open(path, encoding="utf-8") as file:
            entries.append((f"{name}.html", file.read().strip()))
    _index(index_path, _name(index_path), entries)
    _write(count_path, f"{len(titles)}\n")


def part(index_path: str, count_path: str, *counts: str) -> None:
    """The index of a part, from how many pages each of its chapters has."""
    total = _list(index_path, _name(index_path), counts)
    _write(count_path, f"{total}\n")


def book(index_path: str, *counts: str) -> None:
    """The index of the book, from how many pages each part has."""
    _list(index_path, "The book", counts)


def _list(index_path: str, title: str, counts: tuple[str, ...]) -> int:
    total, entries = 0, []
    for path in counts:
        with open(path, encoding="utf-8") as file:
            pages = int(file.read())
        folder = os.path.dirname(path)
        link = os.path.relpath(f"{folder}/index.html", os.path.dirname(index_path))
        entries.append((link, f"{_name(path)} ({pages} pages)"))
        total += pages
    _index(index_path, title, entries)
    return total


def _name(path: str) -> str:
    """`01-Part` of site/content/01-Part/count, as people read it."""
    number, _, kind = os.path.basename(os.path.dirname(path)).partition("-")
    return f"{kind} {int(number)}" if number.isdigit() else number


def _index(path: str, title: str, entries: list[tuple[str, str]]) -> None:
    items = "".join(f'<li><a href="{html.escape(link)}">{html.escape(text)}</a></li>\n' for link, text in entries)
    head = _HEAD.format(title=html.escape(title))
    _write(path, f"{head}<h1>{html.escape(title)}</h1>\n<ul>\n{items}</ul>\n{_FOOT}")


def _title(source: str) -> str:
    for line in _lines(source):
        if (found := _HEADING.fullmatch(line)) and len(found[1]) == 1:
            return found[2].strip()
    return os.path.basename(source).removesuffix(".md")


def _lines(path: str) -> Iterator[str]:
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise SystemExit(f"{path}:{number}: not UTF-8: byte {line[error.start]:#04x}") from None


def _body(lines: Iterator[str], out: TextIO, up: str) -> None:
    """Headings, lists, code between fences, paragraphs, links and images: what the lessons of this book use."""
    block = ""  # the element that is open: p, ul, pre
    for line in lines:
        if block == "pre":
            if line.startswith("```"):
                block = _close(block, out)
            else:
                out.write(html.escape(line) + "\n")
            continue
        if line.startswith("```"):
            block = _open("pre", block, out)
        elif found := _HEADING.fullmatch(line):
            block = _close(block, out)
            level = len(found[1])
            out.write(f"<h{level}>{_inline(found[2], up)}</h{level}>\n")
        elif line.startswith("- "):
            block = _open("ul", block, out)
            out.write(f"<li>{_inline(line[2:], up)}</li>\n")
        elif not line.strip():
            block = _close(block, out)
        else:
            block = _open("p", block, out)
            out.write(_inline(line, up) + "\n")
    _close(block, out)


def _inline(text: str, up: str) -> str:
    text = html.escape(text, quote=False)
    text = _IMAGE.sub(lambda m: f'<img alt="{m[1]}" src="{up}{m[2]}">', text)
    return _LINK.sub(r'<a href="\2">\1</a>', text)


def _open(wanted: str, block: str, out: TextIO) -> str:
    if wanted != block:
        _close(block, out)
        out.write(f"<{wanted}>\n")
    return wanted


def _close(block: str, out: TextIO) -> str:
    if block:
        out.write(f"</{block}>\n")
    return ""


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
