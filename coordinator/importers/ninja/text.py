"""Text with `$` in it: what a value, a path and an escape look like, and how variables are put in. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

# A `$` and what may follow it: a variable in braces, a plain one, an escaped character, or the end of a line.
_ESCAPE = r"\$(?:\{[A-Za-z0-9_.\-]+\}|[A-Za-z0-9_\-]+|[$: ]|\n *)"
VALUE = re.compile(rf"(?:[^$\n\r\0]+|{_ESCAPE})*+")
PATH = re.compile(rf"(?:[^$ :|\n\r\0]+|{_ESCAPE})*+")

_PARTS = re.compile(r"\$(?:\{([A-Za-z0-9_.\-]+)\}|([A-Za-z0-9_\-]+)|([$: ])|\n *)")
_LINE = re.compile(r" *+([A-Za-z0-9_.\-]++) *+= *+(.*+)\n")

Lookup = Callable[[str], str]


def expand(text: str, lookup: Lookup) -> str:
    """The text with its variables put in and its escapes undone."""
    if "$" not in text:
        return text
    return _PARTS.sub(lambda found: lookup(found[1] or found[2]) if found[1] or found[2] else found[3] or "", text)


def pieces(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The literals of a text and the variables between them: always one literal more than variables."""
    literals, names, begun, last = [], [], "", 0
    for found in _PARTS.finditer(text):
        begun += text[last : found.start()]
        last = found.end()
        if name := found[1] or found[2]:
            literals.append(begun)
            names.append(name)
            begun = ""
        else:
            begun += found[3] or ""
    return (*literals, begun + text[last:]), tuple(names)


def escaped(value: str) -> str:
    """A value as text that expands to it, whatever the variables."""
    value = value.replace("$", "$$")
    return "$" + value if value.startswith(" ") else value


def bindings(block: str) -> dict[str, str]:
    """The variables of an indented block of `name = value` lines that refers to no variable."""
    found = dict(_LINE.findall(block))
    if "$" in block:
        return {name: expand(value, _nothing) for name, value in found.items()}
    return found


def _nothing(_name: str) -> str:
    return ""
