"""The words of a build.ninja: tokens, paths and values, each with its line. Pure."""

from __future__ import annotations

import re

from coordinator.importers.ninja import text as texts
from shared.errors import GraphError

BUILD, DEFAULT, INCLUDE, POOL, RULE, SUBNINJA = "build", "default", "include", "pool", "rule", "subninja"
IDENT, INDENT, NEWLINE, END, WRONG = "identifier", "indent", "newline", "eof", "lexing error"
EQUALS, COLON, PIPE, TWO_PIPES, PIPE_AT = "'='", "':'", "'|'", "'||'", "'|@'"

_KEYWORDS = {BUILD, DEFAULT, INCLUDE, POOL, RULE, SUBNINJA}
_SIGNS = {"=": EQUALS, ":": COLON, "|": PIPE, "||": TWO_PIPES, "|@": PIPE_AT}
_COMMENTS = re.compile(r"(?: *#[^\0\n]*\n)*+")
_TOKEN = re.compile(r" *\n|( +)|([A-Za-z0-9_.\-]+)|(=|:|\|@|\|\||\|)")
_IDENT = re.compile(r"[A-Za-z0-9_.\-]+")
_BLANK = re.compile(r"(?: +|\$\n)*+")


class Lexer:
    """A place in the text of one file, and the words that follow."""

    __slots__ = ("_counted", "_line", "_token", "name", "position", "text")

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.position = 0
        self._token = 0  # where the last word begins
        self._line, self._counted = 1, 0

    def line(self, position: int | None = None) -> int:
        """The number of the line of a position, else of the last word."""
        place = self._token if position is None else position
        if place >= self._counted:
            self._line += self.text.count("\n", self._counted, place)
        else:
            self._line -= self.text.count("\n", place, self._counted)
        self._counted = place
        return self._line

    def at(self, position: int | None = None) -> str:
        """`build.ninja:12` for a position, else for the last word."""
        return f"{self.name}:{self.line(position)}"

    def read(self) -> str:
        """The next token; the blanks behind it are passed."""
        begin = _COMMENTS.match(self.text, self.position).end()  # type: ignore[union-attr]
        self._token = begin
        found = _TOKEN.match(self.text, begin)
        if found is None:
            self.position = begin
            return END if begin >= len(self.text) or self.text[begin] == "\0" else WRONG
        self.position = found.end()
        if found.lastindex is None:
            return NEWLINE
        self.skip_blanks()
        if found.lastindex == 1:
            return INDENT
        word = found[0]
        if found.lastindex == 3:
            return _SIGNS[word]
        return word if word in _KEYWORDS else IDENT

    def unread(self) -> None:
        """Be before the last token again."""
        self.position = self._token

    def peek(self, token: str) -> bool:
        """Whether this is the next token; it is read then."""
        before = self.position
        if self.read() == token:
            return True
        self.position = before
        return False

    def expect(self, token: str) -> None:
        """Read this token; GraphError for another."""
        found = self.read()
        if found == token:
            return
        hint = " ($ also escapes ':')" if token == COLON else ""
        raise self.error(f"expected {token}, got {token_name(found)}{hint}", why=self._why(found))

    def ident(self, expected: str) -> str:
        """A name of a variable, rule or pool; GraphError with what was expected."""
        found = self.read()
        if found != IDENT and found not in _KEYWORDS:
            raise self.error(expected, why=self._why(found))
        return _IDENT.match(self.text, self._token)[0]  # type: ignore[index]

    def path(self) -> str:
        """A path as written, "" where none stands; the blanks behind it are passed."""
        found = self._evaluable(texts.PATH)
        self.skip_blanks()
        return found

    def value(self) -> str:
        """The rest of a line as written."""
        found = self._evaluable(texts.VALUE)
        self.position += 1
        return found

    def skip_blanks(self) -> None:
        """Pass spaces and continued line ends."""
        self.position = _BLANK.match(self.text, self.position).end()  # type: ignore[union-attr]

    def error(self, what: str, *, at: str = "", why: str = "", fix: str = "") -> GraphError:
        """A GraphError at the last word."""
        return GraphError(what, at=at or self.at(), why=why, fix=fix)

    def wrong(self) -> GraphError:
        """The GraphError for a token that is none."""
        if self.text[self.position : self.position + 1] == "\t":
            return self.error("tabs are not allowed, use spaces", fix="indent with spaces")
        return self.error("lexing error", why=self._why(WRONG))

    def _evaluable(self, kind: re.Pattern[str]) -> str:
        found = kind.match(self.text, self.position)
        assert found is not None
        end = found.end()
        stop = self.text[end : end + 1]
        self._token = end
        if stop in {"", "\0"}:
            raise self.error("unexpected EOF", fix="end the last line with a newline")
        if stop == "$":
            raise self.error(
                "bad $-escape (literal $ must be written as $$)",
                why=f"{self.text[end : end + 2]!r} is no variable and no escape",
                fix="write $$ for a dollar sign",
            )
        if stop == "\r":
            raise self.error("lexing error", why="a carriage return stands alone", fix="end lines with a newline")
        self.position = end
        return found[0]

    def _why(self, found: str) -> str:
        if found != WRONG:
            return ""
        return f"{self.text[self._token]!r} cannot stand here"


def token_name(token: str) -> str:
    """A token as messages name it."""
    return f"'{token}'" if token in _KEYWORDS else token
