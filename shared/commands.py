"""What programs a command line runs, as far as can be told without running it. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

_SHELLS = frozenset(("sh", "bash", "dash", "/bin/sh", "/bin/bash", "/bin/dash"))
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_SEPARATORS = frozenset(("&&", "||", ";", "|", "&", "(", ")", "|&", ";;", "\n"))
_KEYWORDS = frozenset(
    ("if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "exec", "env", "command")
)
# Words of gcc, clang and cl that name a folder to look for headers in.
_SEARCHED = re.compile(r"(?<!\S)['\"]?(?:-(?:isystem|iquote|idirafter|I)|/I) *([^\s'\"=:;,|&<>()`$\\]+)")


def searched(text: str) -> list[str]:
    """The folders that a compiler is told to look for headers in, as its words name them."""
    return _SEARCHED.findall(text) if "-I" in text or "-i" in text or "/I" in text else []


def programs(command: Sequence[str] | str) -> Iterator[str]:
    """The program of a list; of a shell command the shell and the first word of each simple command."""
    if isinstance(command, str):
        yield "sh"
        yield from first_words(command)
    elif command:
        yield command[0]
        text = script(command)
        if text is not None:
            yield from first_words(text)


def script(argv: Sequence[str]) -> str | None:
    """The text that `sh -c` runs, or None for any other command."""
    return argv[2] if len(argv) >= 3 and argv[0] in _SHELLS and argv[1] in ("-c", "-ec", "-ce") else None


def first_words(text: str) -> Iterator[str]:
    """The first word of each simple command of a shell text; nothing for a text that cannot be split."""
    lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        return
    first, redirected = True, False
    for word in words:
        if word in _SEPARATORS:
            first, redirected = True, False
        elif set(word) <= set("<>&|"):
            redirected = True
        elif redirected:
            redirected = False
        elif first and word not in _KEYWORDS and not _ASSIGNMENT.match(word):
            first = False
            yield word
