"""Which files a macro may mean: every value that the command line or any file gives it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_VALUE = re.compile(r"(?:\"([^\"]*)\"|<([^>]*)>|([A-Za-z_$][\w$]*))\s*(?:(?:/\*|//).*)?\Z", re.DOTALL)
_STARTS_A_NAME = re.compile(r"[\"<A-Za-z_$]")
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*")

Table = Mapping[str, Sequence[str]]


class Meaning(NamedTuple):
    """names: (whether it is in quotes, name). doubt: a value that is computed in a way that is not followed, or ""."""

    names: frozenset[tuple[bool, str]]
    doubt: str


def meaning(macro: str, tables: Sequence[Table]) -> Meaning:
    """What a macro may stand for by the macros that were seen, through as many others as it takes.

    One that nobody defines stands for nothing: the line it is on is of a branch that is not taken.
    """
    names: set[tuple[bool, str]] = set()
    doubt = ""
    todo, done = [macro], {macro}
    while todo:
        name = todo.pop()
        for value in {value for table in tables for value in table.get(name, ())}:
            match = _VALUE.match(value)
            if match is None:
                # A number, or nothing at all, is the value of a flag rather than of a name.
                doubt = doubt or (value if _STARTS_A_NAME.match(value) else "")
                continue
            quote, angle, other = match.groups()
            if other is not None:
                todo += {other} - done
                done.add(other)
            elif quote is not None:
                names.add((True, quote))
            else:
                names.add((False, angle))
                if any(word in table for word in _IDENTIFIER.findall(angle) for table in tables):
                    doubt = doubt or value  # macros between the brackets are expanded as well
    return Meaning(frozenset(names), doubt)
