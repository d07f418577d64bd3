"""Glob patterns over repository paths: `*`, `?`, `[...]`, `{a,b}` and `**`, anchored at the root; no disk."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain, pairwise

_MAGIC = re.compile(r"[*?\[{]")
_MAX_ALTERNATIVES = 1000
_AFTER_ALL = chr(0x10FFFF)


class Glob:
    """A compiled pattern. `prefixes`: every match starts with one of them; `literal`: the only path it matches."""

    __slots__ = ("_match", "_regex", "literal", "prefixes")

    def __init__(self, pattern: str) -> None:
        alternatives = [_components(text) for text in _expand(pattern)]
        only = "/".join(alternatives[0])
        self.literal: str | None = only if len(alternatives) == 1 and not has_magic(only) else None
        self.prefixes = _outermost(_prefix(parts) for parts in alternatives)
        self._regex = "|".join(f"(?:{_regex(parts)})" for parts in alternatives)
        self._match: Callable[[str], re.Match[str] | None] | None = None

    def matches(self, path: str) -> bool:
        """Whether a normalised path is matched."""
        # Most settings are read and never matched, and compiling is slow.
        self._match = self._match or re.compile(self._regex, re.DOTALL).fullmatch
        return self._match(path) is not None


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Glob:
    """The pattern, compiled once; ValueError says what is wrong with it."""
    return Glob(pattern)


def has_magic(text: str) -> bool:
    """Whether a text is a pattern rather than a path."""
    return _MAGIC.search(text) is not None


class PathIndex:
    """A set of paths that patterns are asked of; answers are remembered."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths: list[str] = sorted(paths)
        self._set = frozenset(self.paths)
        self._known: dict[str, tuple[str, ...]] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._set

    def under(self, folder: str) -> list[str]:
        """Every path inside a folder, sorted."""
        return self._starting(f"{folder}/")

    def glob(self, pattern: str) -> tuple[str, ...]:
        """The paths a pattern matches, sorted by code point; ValueError for a pattern that is none."""
        found = self._known.get(pattern)
        if found is None:
            glob = compiled(pattern)
            if glob.literal is not None:
                found = (glob.literal,) if glob.literal in self._set else ()
            else:
                pools = [self._starting(prefix) for prefix in glob.prefixes]
                found = tuple(path for path in chain.from_iterable(pools) if glob.matches(path))
            self._known[pattern] = found
        return found

    def _starting(self, prefix: str) -> list[str]:
        return self.paths[bisect_left(self.paths, prefix) : bisect_left(self.paths, prefix + _AFTER_ALL)]


def _outermost(prefixes: Iterable[str]) -> tuple[str, ...]:
    """The prefixes without those that another one covers, sorted: their ranges do not overlap."""
    kept: list[str] = []
    for prefix in sorted(set(prefixes)):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return tuple(kept)


def _components(text: str) -> list[str]:
    if text.startswith(("/", "~")):
        raise ValueError("the pattern is absolute; patterns are relative to the project's root")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("the pattern leads out of its folder with '..'")
    if not parts:
        raise ValueError("the pattern is empty")
    # `**/**` says no more than `**`, and would make matching slow.
    return [part for number, part in enumerate(parts) if part != "**" or parts[number - 1 : number] != ["**"]]


def _prefix(parts: list[str]) -> str:
    found = _MAGIC.search("/".join(parts))
    return "/".join(parts)[: found.start()] if found else "/".join(parts)


def _regex(parts: list[str]) -> str:
    last = len(parts) - 1
    pieces: list[str] = []
    for number, part in enumerate(parts):
        if part == "**":
            pieces.append(".+" if number == last else "(?:.+/)?")
        else:
            pieces.append(_component_regex(part) + ("" if number == last else "/"))
    return "".join(pieces)


def _component_regex(part: str) -> str:
    pieces: list[str] = []
    at = 0
    while at < len(part):
        char = part[at]
        if char == "[":
            end = _class_end(part, at)
            pieces.append(_class_regex(part[at + 1 : end - 1]))
            at = end
            continue
        if char == "*":
            if pieces[-1:] != ["[^/]*"]:
                pieces.append("[^/]*")
        else:
            pieces.append("[^/]" if char == "?" else re.escape(char))
        at += 1
    return "".join(pieces)


def _class_end(text: str, start: int) -> int:
    """The offset after the `]` of the class that begins at `start`; a `]` straight after the opening is a member."""
    at = start + 1
    if text[at : at + 1] in ("!", "^"):
        at += 1
    end = text.find("]", at + 1)
    if end < 0 or "/" in text[start:end]:
        raise ValueError("'[' is not closed; write '[[]' for the character itself")
    return end + 1


def _class_regex(body: str) -> str:
    negated = body[0] in "!^"
    body = body[1:] if negated else body
    pieces: list[str] = []
    at = 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            low, high = body[at], body[at + 2]
            if low > high:
                raise ValueError(f"the range {low}-{high} is the wrong way round")
            pieces.append(f"{re.escape(low)}-{re.escape(high)}")
            at += 3
        else:
            pieces.append(re.escape(body[at]))
            at += 1
    return f"(?!/)[{'^' if negated else ''}{''.join(pieces)}]"


def _expand(pattern: str) -> list[str]:
    """The pattern without its braces: one text for each way to choose."""
    if "\\" in pattern:
        raise ValueError("the pattern holds a backslash; use '/' between folders, '[*]' for the character '*'")
    if "\0" in pattern:
        raise ValueError("the pattern holds a NUL character")
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        text = waiting.pop()
        choices = _first_braces(text)
        if choices is None:
            done.append(text)
        else:
            waiting.extend(choices)
        if len(done) + len(waiting) > _MAX_ALTERNATIVES:
            raise ValueError(f"the braces make more than {_MAX_ALTERNATIVES} patterns")
    return done


def _first_braces(text: str) -> list[str] | None:
    depth, start = 0, 0
    cuts: list[int] = []
    for at, char in _outside_classes(text):
        if char == "{":
            depth += 1
            if depth == 1:
                start, cuts = at, [at]
        elif char == "," and depth == 1:
            cuts.append(at)
        elif char == "}" and depth:
            depth -= 1
            if depth == 0:
                cuts.append(at)
                inner = [text[left + 1 : right] for left, right in pairwise(cuts)]
                return [text[:start] + choice + text[at + 1 :] for choice in inner]
    if depth:
        raise ValueError("'{' is not closed; write '[{]' for the character itself")
    return None


def _outside_classes(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    while at < len(text):
        if text[at] == "[":
            at = _class_end(text, at)
            continue
        yield at, text[at]
        at += 1
