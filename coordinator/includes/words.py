"""Command lines as the shell and the compiler split them: simple commands, and the words of a response file. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.commands import script

# One piece of a word, a blank, or an operator of the shell.
_SHELL = re.compile(
    r"""(?P<plain>[^\s'"\\&|;<>()$`#]+)
    |(?P<blank>(?:[ \t\r]|\\\n)+)
    |'(?P<single>[^']*)'
    |"(?P<double>(?:[^"\\]|\\.)*)"
    |\\(?P<escaped>.)
    |(?P<operator>&>>|&>|<<<|<<-?|<&|>&|>>|<>|>\||<|>|&&|\|\||;;|\|&|[;&|()\n])
    |(?P<hash>\#)
    |\$(?:(?P<name>\w+)|\{(?P<braced>\w+)\})
    |(?P<strange>.)""",
    re.VERBOSE | re.DOTALL,
)
_IN_DOUBLE = re.compile(r"\\([\\\"$`\n])|\$(?:(\w+)|\{(\w+)\})|(\$\(|\$\{|`)", re.DOTALL)
_PIECE = re.compile(r"""([^\s'"\\]+)|(\s+)|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|\\(.)|(.)""", re.DOTALL)
_SPECIAL = re.compile(r"""['"\\|;<>()$`#\n]|(?<!&)&(?!&)|&&&""")


class Simple(NamedTuple):
    """A simple command: its words, how deep in parentheses it stands, and whether all of it could be read."""

    words: tuple[str, ...]
    depth: int
    clear: bool


def simple_commands(command: Sequence[str] | str, variables: Mapping[str, str]) -> list[Simple]:
    """The simple commands of a list of words or of a shell text, without redirections; those of `sh -c` in place."""
    if not isinstance(command, str):
        text = script(command)
        return [Simple(tuple(command), 0, clear=True)] if text is None else simple_commands(text, variables)
    found = []
    for simple in _split(command, variables):
        text = script(simple.words)
        if text is None:
            found.append(simple)
        else:
            found += [one._replace(depth=one.depth + simple.depth + 1) for one in simple_commands(text, variables)]
    return found


def response_words(text: str) -> list[str]:
    """The words of a response file, quoted as gcc and clang read it."""
    words: list[str] = []
    word: list[str] | None = None
    for plain, blank, single, double, escaped, other in _PIECE.findall(text):
        if blank:
            if word is not None:
                words.append("".join(word))
            word = None
            continue
        quoted = re.sub(r"\\(.)", r"\1", single or double, flags=re.DOTALL)
        word = [*(word or ()), plain or quoted or escaped or (other if other not in "'\"\\" else "")]
    if word is not None:
        words.append("".join(word))
    return words


class _Reader:
    """Collects words into simple commands."""

    def __init__(self) -> None:
        self.found: list[Simple] = []
        self.words: list[str] = []
        self.word: str | None = None
        self.depth, self.clear, self.redirected = 0, True, False

    def add(self, piece: str) -> None:
        self.word = piece if self.word is None else self.word + piece

    def end_word(self) -> None:
        if self.word is not None and not self.redirected:
            self.words.append(self.word)
        if self.word is not None:
            self.redirected = False
        self.word = None

    def end_command(self) -> None:
        self.end_word()
        if self.words:
            self.found.append(Simple(tuple(self.words), self.depth, self.clear))
        self.words, self.clear, self.redirected = [], True, False

    def operator(self, text: str) -> None:
        if "<" in text or ">" in text:
            if self.word is not None and self.word.isdigit():
                self.word = None  # the descriptor of `2>`
            self.end_word()
            self.redirected = True
            return
        self.end_command()
        self.depth = max(0, self.depth + (text == "(") - (text == ")"))


def _split(text: str, variables: Mapping[str, str]) -> list[Simple]:
    if not _SPECIAL.search(text):
        return [
            Simple(words, 0, clear=True)
            for part in (text.split("&&") if "&&" in text else (text,))
            if (words := tuple(part.split()))
        ]
    reader = _Reader()
    place = 0
    while match := _SHELL.match(text, place):
        place = match.end()
        kind = match.lastgroup
        piece = match[kind] if kind else ""
        if kind in ("plain", "single"):
            reader.add(piece)
        elif kind == "blank":
            reader.end_word()
        elif kind == "double":
            reader.add(_double(piece, variables, reader))
        elif kind == "escaped":
            reader.add("" if piece == "\n" else piece)
        elif kind == "operator":
            reader.operator(piece)
        elif kind in ("name", "braced"):
            reader.add(_value(piece, variables, reader))
        elif kind == "hash":
            if reader.word is None:  # a comment
                place = text.find("\n", place) % (len(text) + 1)
            else:
                reader.add(piece)
        elif kind == "strange":
            reader.add(piece)
            reader.clear = False
    reader.end_command()
    return reader.found


def _double(text: str, variables: Mapping[str, str], reader: _Reader) -> str:
    if "\\" not in text and "$" not in text and "`" not in text:
        return text

    def piece(match: re.Match[str]) -> str:
        escaped, name, braced, strange = match.groups()
        if strange:
            reader.clear = False
            return match[0]
        if escaped:
            return "" if escaped == "\n" else str(escaped)
        return _value(name or braced, variables, reader)

    return _IN_DOUBLE.sub(piece, text)


def _value(name: str, variables: Mapping[str, str], reader: _Reader) -> str:
    value = variables.get(name)
    if value is None:
        reader.clear = False
        return "$" + name
    return value
