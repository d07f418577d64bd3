"""Which files the text of a C, C++ or assembler file asks for, read off without a preprocessor. Pure.

Conditions are not evaluated, so every branch counts; directives inside comments and strings may count too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

C_FAMILY = frozenset(
    (
        *("c", "cc", "cp", "cpp", "cxx", "c++", "m", "mm", "i", "ii", "ixx", "cu", "cl"),
        *("h", "hh", "hp", "hpp", "hxx", "h++", "inc", "inl", "ipp", "tcc", "tpp", "txx", "def", "cuh"),
        *("s", "sx", "asm"),
    )
)
# Of these a line that looks like an import of a C++ module is something else.
NO_MODULES = frozenset(("c", "h", "s", "sx", "asm", "m"))

_SPLICE = re.compile(rb"(?:\\|\?\?/)[ \t]*\r?\n")
# Blanks and comments may stand between any two tokens of a directive.
GAP = rb"(?:[ \t\f\v]|/\*(?:[^*]|\*(?!/))*\*/)*"
_NAME = rb"(?:<([^>\n]*)>|\"([^\"\n]*)\""
# These begin with a literal: the search for one is many times as fast as a search for the start of a line.
_DIRECTIVE = re.compile(
    rb"#" + GAP + rb"(include_next|include|import|embed)\b" + GAP + _NAME + rb"|([^\s<\"][^\n]*|[<\"][^\n]*))"
)
_QUESTION = re.compile(
    rb"__has_(include_next|include|embed)(?:__)?\b" + GAP + rb"\(" + GAP + _NAME + rb"|([^\s)][^\n)]*))"
)
# Read by the assembler behind the compiler's back: in no depfile.
_ASSEMBLER = re.compile(rb"\.(incbin|include)\b[ \t]*(?:\\?\"([^\"\\\n]+)|([^\n]*))")
_MODULE = re.compile(rb"^[ \t]*(?:export[ \t]+)?(?:import|module)[ \t]+[\w<\":]", re.MULTILINE)
_BLANK = b" \t\f\v\r\xef\xbb\xbf"  # a byte order mark may precede the first


class Asked(NamedTuple):
    """One question for a file: the word that asks, and the name in its `<>` or `""`, or what stands there instead."""

    word: str
    angle: bytes | None
    quote: bytes | None
    other: bytes | None


def unspliced(data: bytes) -> bytes:
    """The bytes with continued lines joined and every `#` spelled so."""
    if b"??" in data:
        data = data.replace(b"??=", b"#")
        data = _SPLICE.sub(b"", data)
    elif b"\\" in data:
        data = _SPLICE.sub(b"", data)
    return data.replace(b"%:", b"#") if b"%:" in data else data


def asked(data: bytes) -> Iterator[Asked]:
    """What the preprocessor is asked for; `data` is `unspliced`.

    The words are include, include_next, import and embed, for questions as for directives.
    """
    for match in _DIRECTIVE.finditer(data):
        if begins_line(data, match.start()):
            yield _asked(match)
    if b"__has_" in data:
        yield from map(_asked, _QUESTION.finditer(data))


def asked_of_assembler(data: bytes) -> Iterator[Asked]:
    """What the assembler is asked for, also from within strings; the words are incbin and include."""
    if b".inc" in data:
        for match in _ASSEMBLER.finditer(data):
            word, quote, other = match.groups()
            yield Asked(word.decode(), None, quote, other)


def has_module(data: bytes) -> bool:
    """Whether a line looks like the import or the declaration of a C++ module or header unit."""
    return (b"import" in data or b"module" in data) and _MODULE.search(data) is not None


def begins_line(data: bytes, place: int) -> bool:
    """Whether nothing but blanks and comments stands before a place in its line, as far as a glance can tell."""
    if place == 0 or data[place - 1] == 10:
        return True
    before = data[data.rfind(b"\n", 0, place) + 1 : place]
    return not before.strip(_BLANK) or b"*/" in before


def _asked(match: re.Match[bytes]) -> Asked:
    word, angle, quote, other = match.groups()
    return Asked(word.decode(), angle, quote, other)
