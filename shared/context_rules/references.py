"""What a context rule refers to: links, `@path/to/file`, and `@import "id"`; and where these lead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

import msgspec

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

Kind = Literal["link", "path", "import"]

_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+:|//)")  # one letter and a colon is a drive
_PATH = re.compile(r"(?<![\w@/.])@((?:\.{0,2}/)?[\w.-]+(?:/[\w.%-]+)+|[\w-]+\.[A-Za-z]\w*)")
_IMPORT = re.compile(r"@(?:import|include)\s+([\"'])([^\"'\n]*)\1")
_STYLE_SHEETS = (".css", ".scss", ".sass", ".less")


class Reference(msgspec.Struct, frozen=True, order=True):
    """Something a rule names. line: where, counted from 1. target: as it is written."""

    line: int
    kind: Kind
    target: str


class Refused(Exception):
    """A reference that leads nowhere it may lead; str() says why."""


def find(body: str, *, first: int = 1) -> tuple[Reference, ...]:
    """Every reference of a markdown text, in order, each place once. first: the number of its first line."""
    if "[" not in body and "@" not in body:
        return ()
    found: set[Reference] = set()
    for token in _markdown().parse(body):
        line = (token.map[0] if token.map else 0) + first
        if token.type == "inline":
            found.update(_inline(token.children or (), line))
        elif token.type in ("fence", "code_block"):
            found.update(_imports(token.content, line + (token.type == "fence")))
    return tuple(sorted(found))


def resolve(reference: Reference, rule: str) -> str:
    """The path, from the project's folder, that a link or path of a rule (by its own path) leads to.

    Refused for one that leads out of the project, or that no file can have; "" for the rule's own headings.
    """
    written = reference.target
    if reference.kind == "link":
        written = unquote(written.partition("#")[0].partition("?")[0])
        if not written:
            return ""
    if any(ord(character) < 32 or ord(character) == 127 for character in written):
        raise Refused("it holds a control character")
    if "\\" in written:
        raise Refused("it holds a backslash; folders are separated by '/'")
    if re.match(r"[A-Za-z]:", written):
        raise Refused("it names a drive")
    relative = not written.startswith("/") if reference.kind == "link" else written.startswith(("./", "../"))
    parts = rule.split("/")[:-1] if relative else []
    for part in written.split("/"):
        if part == "..":
            if not parts:
                raise Refused("it leads out of the project")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def certain(reference: Reference) -> bool:
    """Whether a reference is surely meant as one: `@scope/package` is also how packages are called."""
    return reference.kind != "path" or "." in reference.target.rpartition("/")[2]


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - 50 ms, and most builds read no markdown

    return MarkdownIt("commonmark")


def _inline(children: Any, line: int) -> Iterator[Reference]:
    inside_link = 0
    for child in children:
        if child.type in ("softbreak", "hardbreak"):
            line += 1
        elif child.type == "link_open":
            inside_link += 1
            target = str(child.attrGet("href"))
            if not _SCHEME.match(target) and not target.startswith("#"):
                yield Reference(line, "link", target)
        elif child.type == "link_close":
            inside_link -= 1
        elif child.type == "text":
            yield from _imports(child.content, line)
            if not inside_link:
                yield from (Reference(line, "path", found[1].rstrip(".")) for found in _PATH.finditer(child.content))
        elif child.type == "code_inline":
            yield from _imports(child.content, line)


def _imports(text: str, line: int) -> Iterator[Reference]:
    for found in _IMPORT.finditer(text):
        target = found[2]
        if not _SCHEME.match(target) and not target.endswith(_STYLE_SHEETS):
            yield Reference(line + text.count("\n", 0, found.start()), "import", target)
