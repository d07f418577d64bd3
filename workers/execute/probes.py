"""The base names a run can have asked for, read off the files it read.

A new file of such a name could be found first the next time, so it changes the key. Too many names cost
a run now and then; one too few makes a stale build: in doubt the answer is `*`, any name. No preprocessor:
conditions are not evaluated, and directives inside comments or strings count.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from shared import directives
from shared.model.path import basename

ANY = "*"
_FLAGS = ("-include", "-imacros", "--include", "--imacros")


class Asked(NamedTuple):
    """What files ask for: base names that are looked for, and base names read without a note in the depfile.

    untold: a file that is not of the C family is among them, and may ask for anything.
    """

    names: frozenset[str]
    unnoted: frozenset[str]
    untold: bool = False


def scan(data: bytes, suffix: str = "h") -> Asked:
    """What the bytes of a file of the C family ask for."""
    data = directives.unspliced(data)
    names: set[str] = set()
    for _, angle, quote, _ in directives.asked(data):
        written = angle if angle is not None else quote
        names.add(ANY if written is None else _base(written))
    if suffix not in directives.NO_MODULES and directives.has_module(data):
        names.add(ANY)
    unnoted = frozenset(_base(quote) for _, _, quote, _ in directives.asked_of_assembler(data) if quote is not None)
    return Asked(frozenset(names) | unnoted, unnoted)


def of_argv(argv: Sequence[str]) -> frozenset[str]:
    """The base names that words of a command ask for: `-include X`."""
    words = [word for text in argv for word in (text.split() if " " in text else (text,))]
    found: set[str] = set()
    for flag, value in zip(words, [*words[1:], ""], strict=True):
        for name in _FLAGS:
            if flag == name:
                found.add(basename(value.strip("'\"")))
            elif flag.startswith(name) and name.startswith("-i"):
                found.add(basename(flag[len(name) :].strip("'\"")))
            elif flag.startswith(name + "="):
                found.add(basename(flag[len(name) + 1 :].strip("'\"")))
    return frozenset(found - {""})


class Prober:
    """Scans files once for each content; thread-safe."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Asked] = {}
        self._lock = threading.Lock()

    def asked(self, files: Iterable[tuple[str, str]], read: Callable[[str], bytes]) -> Asked:
        """What files ask for together; `files` are (path, digest), `read` gives the bytes of a path."""
        names: set[str] = set()
        unnoted: set[str] = set()
        untold = False
        for path, hash_ in files:
            suffix = path.rpartition(".")[2].lower()
            if suffix not in directives.C_FAMILY:
                untold = True
                continue
            one = self._one(hash_, suffix, path, read)
            names |= one.names
            unnoted |= one.unnoted
        return Asked(frozenset(names), frozenset(unnoted), untold)

    def _one(self, hash_: str, suffix: str, path: str, read: Callable[[str], bytes]) -> Asked:
        key = (hash_, suffix)
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = scan(read(path), suffix)
            with self._lock:
                self._known[key] = known
        return known


def _base(written: bytes) -> str:
    # What is no UTF-8 cannot be the name of a file of the tree; it only must not hurt when the trace is written.
    return basename(written.decode("utf-8", "replace").strip().replace("\\", "/"))
