"""Words of cl and clang-cl in those of gcc, as far as they say which files are read. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

_COMPILER = re.compile(r"(?:.*[-/\\])?(?:cl|clang-cl|icl)(?:-\d+)?(?:\.exe)?\Z", re.IGNORECASE)
# Flags that are followed by a path or a macro, joined or in the next word, and what gcc calls them.
_VALUED = {
    "external:I": "-isystem", "imsvc": "-isystem", "winsysroot": "--sysroot=", "FI": "-include", "I": "-I", "D": "-D",
    "Tc": "", "Tp": "", "U": "-U",
}  # fmt: skip
_FLAG = re.compile(rf"[-/]({'|'.join(_VALUED)})(.*)", re.DOTALL)
_KEPT = ("-Xclang", "-isystem", "-iquote", "-idirafter", "-include", "-imacros", "-W")


def speaks(program: str) -> bool:
    """Whether a program takes the words of cl."""
    return _COMPILER.match(program) is not None


def in_gcc(words: Iterable[str], is_file: Callable[[str], bool]) -> Iterator[str]:
    """The words that have to do with what is read, as gcc would be told it; what is written is left out."""
    rest = iter(words)
    for word in rest:
        if word[:1] not in ("-", "/") or word.startswith(_KEPT) or (word[0] == "/" and is_file(word)):
            yield word
        elif word[1:] in ("X", "link"):
            if word[1:] == "link":
                return
            yield "-nostdinc"
        elif found := _FLAG.match(word):
            flag, value = _VALUED[found[1]], found[2] or next(rest, "")
            yield from (value,) if not flag else (flag + value,) if flag.endswith("=") else (flag, value)
