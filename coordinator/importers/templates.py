"""Texts with placeholders: `{in}`, `{out}`, `{stem}` and the like; `{{` and `}}` stand for braces."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence

OF_FILE = frozenset({"stem", "name", "dir", "path"})
ALL = OF_FILE | {"in", "out", "depfile"}

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_PRIVATE = 0xE000  # first code point of the private use area: stands for a placeholder while words are split

Values = Mapping[str, Sequence[str]]


class Template:
    """A text to be filled in; ValueError for a placeholder that is not among `allowed`.

    stands_alone: the name, if the text is one placeholder and nothing else.
    """

    __slots__ = ("_text", "names", "stands_alone")

    def __init__(self, text: str, allowed: frozenset[str] = ALL) -> None:
        self.names = _names(text, allowed)
        self.stands_alone = next((name for name in self.names if text == f"{{{name}}}"), "")
        self._text = text if self.names else text.replace("{{", "{").replace("}}", "}")

    def render(self, values: Mapping[str, str]) -> str:
        """The text with each placeholder replaced by its value."""
        return self._text.format_map(values) if self.names else self._text


class ShellTemplate:
    """A shell command to be filled in; what is put in is quoted for the place where it stands."""

    __slots__ = ("_text", "_wanted", "names", "words")

    def __init__(self, text: str, allowed: frozenset[str] = ALL) -> None:
        self.names = _names(text, allowed)
        self._text, self._wanted = _with_contexts(text)
        self.words = _words(text)

    def render(self, values: Values) -> str:
        """The command with each placeholder replaced by its values, quoted and separated by spaces."""
        return self._text.format_map({key: _QUOTING[key[0]](values[key[1:]]) for key in self._wanted})


def _names(text: str, allowed: frozenset[str]) -> frozenset[str]:
    names: set[str] = set()
    for token in _TOKEN.finditer(text):
        if token[0] in ("{{", "}}"):
            continue
        if token[0] in ("{", "}"):
            raise ValueError(f"a single '{token[0]}' in {text!r}; write '{token[0] * 2}' for the character itself")
        if token[1] not in allowed:
            known = (
                "cannot be used here" if token[1] in ALL else f"is none of {', '.join(f'{{{n}}}' for n in sorted(ALL))}"
            )
            raise ValueError(f"{token[0]} in {text!r} {known}; write '{{{token[0]}}}' for the text itself")
        names.add(token[1])
    return frozenset(names)


def _with_contexts(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with the quoting each placeholder stands in put before its name, and these names."""
    state, at = "u", 0
    pieces: list[str] = []
    wanted: dict[str, None] = {}
    for token in _TOKEN.finditer(text):
        state = _state_after(text[at : token.start()], state)
        pieces.append(text[at : token.start()])
        if token[1] is None:
            pieces.append(token[0])
        else:
            pieces.append(f"{{{state}{token[1]}}}")
            wanted[state + token[1]] = None
        at = token.end()
    return "".join((*pieces, text[at:])), tuple(wanted)


def _state_after(text: str, state: str) -> str:
    """Whether the shell is outside quotes (u), inside double (d) or single ones (s) after a text."""
    escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\" and state != "s":
            escaped = True
        elif char == "'" and state != "d":
            state = "u" if state == "s" else "s"
        elif char == '"' and state != "s":
            state = "u" if state == "d" else "d"
    return state


def _words(text: str) -> tuple[Template, ...]:
    """The words the shell would see, before placeholders are filled in."""
    names = sorted(ALL)
    marks = {name: chr(_PRIVATE + number) for number, name in enumerate(names)}

    def mark(token: re.Match[str]) -> str:
        return marks[token[1]] if token[1] is not None else token[0][0]

    marked = _TOKEN.sub(mark, text)
    lexer = shlex.shlex(marked, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError:
        # A quote that is never closed, or a here-document: not for us to judge.
        words = marked.split()
    back = {ord(mark): f"{{{name}}}" for name, mark in marks.items()} | {ord("{"): "{{", ord("}"): "}}"}
    return tuple(Template(word.translate(back)) for word in dict.fromkeys(words))


def _in_double(values: Sequence[str]) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", " ".join(values))


def _in_single(values: Sequence[str]) -> str:
    return " ".join(values).replace("'", "'\\''")


_QUOTING: dict[str, Callable[[Sequence[str]], str]] = {"u": shlex.join, "d": _in_double, "s": _in_single}
