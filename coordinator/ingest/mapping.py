"""Where a file of a source folder goes: its path there to the path it is hydrated to. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from shared.errors import ConfigError, PathsCollide
from shared.model.path import written

ContentType = Literal["markdown", "summary", "asset", "readme", "unknown"]
Profile = Literal["part-chapter", "preserve"]

ASSETS = frozenset((".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".mp4", ".mp3", ".pdf"))
ASSET_TYPES = ("img", "slides", "videos", "audio")
# What people call a folder of images.
_SPELLINGS = {"image": "img", "images": "img"}
_PART = re.compile(r"Part-(?P<number>[0-9]{1,4})(?:-.*)?")
_CHAPTER = re.compile(r"Chapter-(?P<number>[0-9]{1,4})(?:-.*)?")
_LESSON = re.compile(r"(?P<number>[0-9]{1,4})-(?P<name>[a-z0-9][a-z0-9-]*)(?P<summary>\.summary)?\.md")
_CONTENT = re.compile(r"content/[0-9]{2,}-Part/[0-9]{2,}-Chapter/[0-9]{2,}-[a-z0-9][a-z0-9-]*(?:\.summary)?\.md")


class Mapped(msgspec.Struct, frozen=True):
    """One file: what it is, and where it goes. `error` says why it goes nowhere, unless it is meant to (a README).

    code: INVALID_PATH when the path could lead out of the folder, INVALID_NAME when the profile has no place for it.
    """

    source: str
    content_type: ContentType
    path: str | None = None
    error: str = ""
    code: Literal["", "INVALID_PATH", "INVALID_NAME"] = ""

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.error


class Mapper:
    """A profile, and a project's own patterns before it. ConfigError for a pattern that is none."""

    def __init__(self, profile: Profile = "part-chapter", patterns: Mapping[str, str] | None = None) -> None:
        self._profile: Profile = profile
        self._patterns = [_compiled(pattern, path) for pattern, path in (patterns or {}).items()]

    def map(self, source: str) -> Mapped:
        """Where a file goes; the first pattern that matches its whole path counts, then the profile."""
        path = source.replace("\\", "/")
        kind = content_type(path)
        if why := _unsafe(path):
            return Mapped(source, kind, error=why, code="INVALID_PATH")
        for pattern, template in self._patterns:
            if found := pattern.fullmatch(path):
                return _by_pattern(source, kind, found.expand(template))
        if kind == "readme":
            return Mapped(source, kind)
        if kind == "unknown":
            return Mapped(source, kind, error="Unknown file type", code="INVALID_NAME")
        if self._profile == "preserve":
            return Mapped(source, kind, f"static/{path}" if kind == "asset" else f"content/{path}")
        return _asset(source, path) if kind == "asset" else _lesson(source, path, kind)

    def map_all(self, sources: Iterable[str]) -> list[Mapped]:
        """Every file; PathsCollide, naming both, when two of them would go to one path."""
        taken: dict[str, Mapped] = {}
        found: list[Mapped] = []
        for source in sources:
            mapped = self.map(source)
            found.append(mapped)
            if mapped.path is None:
                continue
            # Not every file system tells A from a, and hydrated trees are to be the same on all.
            other = taken.setdefault(mapped.path.casefold(), mapped)
            if other is not mapped:
                raise _collision(other, mapped)
        _refuse_nesting(taken)
        return found


def content_type(path: str) -> ContentType:
    """What a file is, by its name."""
    name = path.rpartition("/")[2]
    lower = name.lower()
    if lower == "readme.md":
        return "readme"
    if lower.endswith(".summary.md"):
        return "summary"
    if lower.endswith(".md"):
        return "markdown"
    return "asset" if any(lower.endswith(suffix) for suffix in ASSETS) else "unknown"


def is_content(path: str) -> bool:
    """Whether a file is one that a book is made of: markdown, or an asset."""
    return content_type(path) != "unknown"


def validate(path: str) -> str:
    """What is wrong with a path of the part-chapter profile; empty if nothing is."""
    if why := _unsafe(path):
        return why
    if path.startswith("content/"):
        return "" if _CONTENT.fullmatch(path) else "Invalid content path: it is content/NN-Part/NN-Chapter/NN-name.md"
    if path.startswith("static/"):
        kind = path.split("/")[1]
        known = ", ".join(ASSET_TYPES)
        return "" if kind in ASSET_TYPES and path.count("/") > 1 else f"Invalid asset type '{kind}': one of {known}"
    return "Unknown path type: it begins with content/ or static/"


def _lesson(source: str, path: str, kind: ContentType) -> Mapped:
    parts = path.split("/")
    if len(parts) < 3:
        return _invalid(source, kind, "Path too short: it is Part-N/Chapter-N/NN-name.md")
    part, chapter, lesson = _PART.fullmatch(parts[0]), _CHAPTER.fullmatch(parts[1]), _LESSON.fullmatch(parts[2])
    if part is None:
        return _invalid(source, kind, f"Invalid Part format: '{parts[0]}' is not Part-N or Part-N-title")
    if chapter is None:
        return _invalid(source, kind, f"Invalid Chapter format: '{parts[1]}' is not Chapter-N or Chapter-N-title")
    if lesson is None or len(parts) > 3:
        name = "/".join(parts[2:])
        return _invalid(source, kind, f"Invalid filename format: '{name}' is not NN-name.md with a-z, 0-9 and '-'")
    numbers = [f"{int(found['number']):02d}" for found in (part, chapter, lesson)]
    name = f"{numbers[2]}-{lesson['name']}{lesson['summary'] or ''}.md"
    return Mapped(source, kind, f"content/{numbers[0]}-Part/{numbers[1]}-Chapter/{name}")


def _asset(source: str, path: str) -> Mapped:
    *folders, name = path.split("/")
    for place, folder in enumerate(folders):
        kind = _SPELLINGS.get(folder.lower(), folder.lower())
        if kind in ASSET_TYPES:
            return Mapped(source, "asset", "/".join(("static", kind, *folders[place + 1 :], name)))
    return Mapped(source, "asset", f"static/img/{name}")


def _by_pattern(source: str, kind: ContentType, path: str) -> Mapped:
    if not path:
        return Mapped(source, kind)
    try:
        if written(path) != path:
            return Mapped(source, kind, error=f"a pattern sends it to {path!r}, which is no path", code="INVALID_PATH")
    except ValueError as error:
        return Mapped(source, kind, error=f"a pattern sends it to {path!r}: {error}", code="INVALID_PATH")
    return Mapped(source, kind, path)


def _unsafe(path: str) -> str:
    """Why a path cannot be trusted; a `..` is refused and never cut out, which would make another path of it."""
    parts = path.split("/")
    if ".." in parts:
        return "Invalid path: '..' in it could lead out of the folder"
    if "" in parts or "." in parts:
        return "Invalid path: a part of it is empty, or it is absolute"
    try:
        written(path)
    except ValueError as error:
        return f"Invalid path: {error}"
    return ""


def _invalid(source: str, kind: ContentType, why: str) -> Mapped:
    return Mapped(source, kind, error=why, code="INVALID_NAME")


def _compiled(pattern: str, path: str) -> tuple[re.Pattern[str], str]:
    try:
        compiled = re.compile(pattern)
        # A template is only looked at when something matches; its groups are looked at here.
        nothing = re.compile(f"(?:{pattern})|").fullmatch("")
        assert nothing is not None
        nothing.expand(path)
    except (re.error, IndexError) as error:
        raise ConfigError(
            f"`ingest.map` cannot use the pattern {pattern!r}", at="[ingest.map]", why=f"{error}, with {path!r}"
        ) from error
    return compiled, path


def _refuse_nesting(taken: Mapping[str, Mapped]) -> None:
    for path, mapped in taken.items():
        folder = path.rpartition("/")[0]
        while folder:
            if folder in taken:
                raise _collision(taken[folder], mapped, nested=True)
            folder = folder.rpartition("/")[0]


def _collision(first: Mapped, second: Mapped, *, nested: bool = False) -> PathsCollide:
    return PathsCollide(
        f"two files go to {first.path}" if not nested else f"{first.path} is a file and a folder",
        at=second.source,
        why=f"{first.source} goes to {first.path}, and {second.source} to {second.path}",
        fix='rename one of them, or give them places of their own: [ingest] profile = "preserve", or a pattern in '
        "[ingest.map]",
    )
