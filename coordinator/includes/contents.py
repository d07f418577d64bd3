"""What the content of one file asks for, as it is remembered by digest. Pure."""

from __future__ import annotations

import re

import msgspec

from shared import directives
from shared.directives import GAP, Asked

_BUILT_IN = frozenset(("__FILE__", "__BASE_FILE__"))
_COMMENT = re.compile(rb"/\*.*?\*/|//.*|/\*.*", re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*")
_DEFINE = re.compile(rb"#" + GAP + rb"define" + GAP + rb"([A-Za-z_$][\w$]*)(?:[ \t\f\v]|/\*)([^\n]*)")
_OWN_MODULE = re.compile(
    rb"^[ \t]*(?:export[ \t]+)?(?:(?:import|module)[ \t]*(?:[\w.:]+|<[^>\n]+>|\"[^\"\n]+\")?[ \t]*;)|^[ \t]*@import\b",
    re.MULTILINE,
)
_LONGEST_VALUE = 256


class Contents(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The names that a file asks for, each list sorted.

    quotes, angles: `"x"` and `<x>`. nexts: by include_next. embeds: by #embed and .incbin, read but not looked into.
    assembler: by .include. computed: macros whose value is the name. opaque: a name that is computed in another way.
    modules: it is about C++ or Objective-C modules, if it is of such a language.
    """

    quotes: tuple[str, ...] = ()
    angles: tuple[str, ...] = ()
    nexts: tuple[str, ...] = ()
    embeds: tuple[str, ...] = ()
    assembler: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    opaque: bool = False
    modules: bool = False


# The values of each macro without parameters.
Defines = dict[str, tuple[str, ...]]


def read(data: bytes) -> Contents:
    """What the bytes of a file of the C family ask for."""
    data = directives.unspliced(data)
    quotes: set[str] = set()
    angles: set[str] = set()
    nexts: set[str] = set()
    embeds: set[str] = set()
    assembler: set[str] = set()
    computed: set[str] = set()
    by_word = {"include_next": (nexts, nexts), "embed": (embeds, embeds)}
    opaque = False
    for one in directives.asked(data):
        in_quotes, in_angles = by_word.get(one.word, (quotes, angles))
        if one.quote is not None:
            in_quotes.add(one.quote.decode("utf-8", "replace"))
        elif one.angle is not None:
            in_angles.add(one.angle.decode("utf-8", "replace"))
        elif one.word == "embed":
            opaque = True
        else:
            opaque |= not _computed(one, computed)
    for one in directives.asked_of_assembler(data):
        if one.quote is not None:
            (embeds if one.word == "incbin" else assembler).add(one.quote.decode("utf-8", "replace"))
        elif one.word == "incbin" and one.other and (b'"' in one.other or one.other.lstrip().startswith(b"\\")):
            opaque = True
    modules = directives.has_module(data) and _OWN_MODULE.search(data) is not None
    if not (quotes or angles or nexts or embeds or assembler or computed or opaque or modules):
        return NOTHING
    return Contents(
        tuple(sorted(quotes)), tuple(sorted(angles)), tuple(sorted(nexts)), tuple(sorted(embeds)),
        tuple(sorted(assembler)), tuple(sorted(computed)), opaque, modules,
    )  # fmt: skip


NOTHING = Contents()


def defines(data: bytes) -> Defines:
    """The macros without parameters that a file defines, with their values (cut off when long)."""
    data = directives.unspliced(data)
    found: dict[str, set[str]] = {}
    for match in _DEFINE.finditer(data):
        if directives.begins_line(data, match.start()):
            name, value = match.groups()
            text = value[:_LONGEST_VALUE].decode("utf-8", "replace").strip()
            found.setdefault(name.decode("utf-8", "replace"), set()).add(text)
    return {name: tuple(sorted(values)) for name, values in found.items()}


def _computed(one: Asked, computed: set[str]) -> bool:
    """Note the macro that a name is computed by; false if it is not a macro alone."""
    text = _COMMENT.sub(b" ", one.other or b"").strip().decode("utf-8", "replace")
    if not _IDENTIFIER.fullmatch(text):
        # What begins with neither a macro nor a quote is no name: a mistake, or text in a comment.
        return not _IDENTIFIER.match(text)
    if text not in _BUILT_IN:
        computed.add(text)
    return True
