"""ContextRule: one rule file, its front matter checked."""

from __future__ import annotations

import difflib
import re
from typing import Any

import msgspec

from shared import hashing
from shared.context_rules import references, tokens
from shared.context_rules.references import Reference
from shared.context_rules.yaml_text import Document, Faulty, read

DEFAULT_PRIORITY, MOST_PRIORITY = 50, 100
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_KEYS = ("id", "description", "domain", "globs", "priority", "tags", "always_apply")
_FENCE = re.compile(r"---[ \t]*")


class ContextRule(msgspec.Struct, frozen=True):
    """A rule as its file says it. path: of the file, below the folder of rules; globs: given, or by its folder.

    digest: of the file; tokens: the estimate for its body.
    """

    path: str
    id: str
    description: str
    domain: str
    body: str
    digest: str
    tokens: int
    globs: tuple[str, ...] = ()
    priority: int = DEFAULT_PRIORITY
    tags: tuple[str, ...] = ()
    always_apply: bool = False
    references: tuple[Reference, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The path without its ending: `backend/auth`."""
        return self.path.removesuffix(".md")

    @property
    def directory(self) -> str:
        """The first folder below that of the rules; empty for a rule at the top."""
        return self.path.partition("/")[0] if "/" in self.path else ""


class Summary(msgspec.Struct, frozen=True):
    """What AGENTS.md tells of a rule; unlike the rule itself, it stays when a later paragraph changes."""

    path: str
    id: str
    description: str
    priority: int
    text: str
    directory: str
    globs: tuple[str, ...]
    tags: tuple[str, ...]


def summary_of(rule: ContextRule) -> Summary:
    """The summary of a rule: its description and its first paragraph."""
    return Summary(
        rule.path,
        rule.id,
        rule.description,
        rule.priority,
        first_paragraph(rule.body),
        rule.directory,
        rule.globs,
        rule.tags,
    )


def parse(path: str, data: bytes) -> ContextRule:
    """A rule file's content as a rule; Faulty with the line of what is wrong."""
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise Faulty("it is not UTF-8", data.count(b"\n", 0, error.start) + 1) from error
    front, body, body_line = split(text)
    known = read(front, first=2)
    stripped = body.strip("\n")
    first = body_line + (len(body) - len(body.lstrip("\n")))
    return ContextRule(
        path=path,
        id=_id(known),
        description=_text(known, "description"),
        domain=_text(known, "domain"),
        body=stripped.rstrip(),
        digest=hashing.of_bytes(data),
        tokens=tokens.estimate(stripped),
        globs=_words(known, "globs") or inferred(path),
        priority=_priority(known),
        tags=_words(known, "tags"),
        always_apply=_truth(known, "always_apply"),
        references=references.find(stripped, first=first),
        warnings=tuple(f"unknown key `{key}` in line {known.line(key)}" for key in known.values if key not in _KEYS),
    )


def split(text: str) -> tuple[str, str, int]:
    """Front matter, body, and the number of the body's first line; Faulty where there is no front matter."""
    lines = text.split("\n")
    if not _FENCE.fullmatch(lines[0]):
        raise Faulty("no front matter: a rule begins with a line `---`", 1)
    for number, line in enumerate(lines[1:], 2):
        if _FENCE.fullmatch(line):
            return "\n".join(lines[1 : number - 1]), "\n".join(lines[number:]), number + 1
    raise Faulty("the front matter has no end: a second line `---` is missing", 1)


def first_paragraph(text: str) -> str:
    """The first paragraph of a markdown text that is no heading, as one line; empty if there is none."""
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in block.split("\n")]
        kept = [line for line in lines if line and not line.startswith("#") and not line.startswith("<!--")]
        if kept:
            return " ".join(kept)
    return ""


def inferred(path: str) -> tuple[str, ...]:
    """The globs of a rule that gives none: all that lies in folders of its folder's name."""
    folder = path.rpartition("/")[0]
    return (f"**/{folder}/**",) if folder else ()


def _id(known: Document) -> str:
    found = _text(known, "id")
    if not _ID.fullmatch(found):
        raise Faulty(f"`id` {found!r} is none: letters, digits and . _ - / only", known.line("id"))
    return found


def _text(known: Document, key: str) -> str:
    if key not in known.values:
        close = difflib.get_close_matches(key, [name for name in known.values if name not in _KEYS], n=1)
        hint = f"; did you mean it by `{close[0]}` in line {known.line(close[0])}?" if close else ""
        raise Faulty(f"the front matter has no `{key}`{hint}", 1)
    value = known.values[key]
    if not isinstance(value, str) or not value.strip():
        raise Faulty(f"`{key}` must be a text, not {_told(value)}", known.line(key))
    return " ".join(value.split())


def _words(known: Document, key: str) -> tuple[str, ...]:
    value = known.values.get(key)
    if value is None:
        return ()
    if isinstance(value, str):
        value = [part for part in (part.strip() for part in value.split(",")) if part]
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise Faulty(f"`{key}` must be a list of texts", known.line(key))
    return tuple(item.strip() for item in value)


def _priority(known: Document) -> int:
    value = known.values.get("priority", DEFAULT_PRIORITY)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_PRIORITY:
        raise Faulty(f"`priority` must be a whole number from 0 to 100, not {_told(value)}", known.line("priority"))
    return value


def _truth(known: Document, key: str) -> bool:
    value = known.values.get(key, False)
    if not isinstance(value, bool):
        raise Faulty(f"`{key}` must be true or false, not {_told(value)}", known.line(key))
    return value


def _told(value: Any) -> str:
    return "nothing" if value in (None, "") else repr(value)
