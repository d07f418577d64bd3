"""Dyndep files: inputs and outputs of edges that are known only while building. Pure.

See docs/design/ninja-language.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from coordinator.importers.ninja import lexer as words
from coordinator.importers.ninja import text as texts
from coordinator.importers.ninja.lexer import Lexer, token_name
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.spelling import canonical
from shared.errors import GraphError

_VERSION = re.compile(r"1(?:\.0)?(?![.0-9])")


class Discovered(msgspec.Struct, frozen=True):
    """What a dyndep file adds to the edge that makes `output`."""

    output: str
    implicit_outputs: tuple[str, ...]
    implicit: tuple[str, ...]
    restat: bool
    at: str


def parse_dyndep(text: str, name: str) -> tuple[Discovered, ...]:
    """What a dyndep file says, in its order; GraphError with its place. name: what to call the file."""
    lexer = Lexer(text.replace("\r\n", "\n"), name)
    found: list[Discovered] = []
    token = lexer.read()
    while token == words.NEWLINE:
        token = lexer.read()
    if token != words.IDENT:
        raise lexer.error("expected 'ninja_dyndep_version = ...'")
    lexer.unread()
    _require_version(lexer)
    while True:
        token = lexer.read()
        if token == words.END:
            return tuple(found)
        if token == words.BUILD:
            found.append(_statement(lexer))
        elif token == words.WRONG:
            raise lexer.wrong()
        elif token != words.NEWLINE:
            raise lexer.error(f"unexpected {token_name(token)}")


def match(found: tuple[Discovered, ...], lookup: Lookup, path: str) -> Mapping[int, Discovered]:
    """Which edge, by number, each belongs to; GraphError unless it is each edge whose dyndep is `path`, once."""
    matched: dict[int, Discovered] = {}
    for one in found:
        number = lookup.makers.get(one.output)
        if number is None:
            raise GraphError(f"no build statement exists for '{one.output}'", at=one.at)
        if number in matched:
            raise GraphError(
                f"multiple statements for '{one.output}'", at=one.at, why=f"{matched[number].at} is of the same edge"
            )
        matched[number] = one
        for output in one.implicit_outputs:
            if output in lookup.makers:
                raise GraphError(
                    f"multiple rules generate {output}",
                    at=one.at,
                    why=f"the edge at {lookup.edges[lookup.makers[output]].at} makes it too",
                )
    for number, edge in enumerate(lookup.edges):
        if edge.dyndep == path and number not in matched:
            raise GraphError(f"'{edge.all_outputs[0]}' not mentioned in its dyndep file '{path}'", at=edge.at)
    for number, one in matched.items():
        if lookup.edges[number].dyndep != path:
            raise GraphError(
                f"dyndep file '{path}' mentions output '{one.output}' whose build statement does not have a dyndep"
                " binding for the file",
                at=one.at,
            )
    return matched


def _require_version(lexer: Lexer) -> None:
    name = lexer.ident("expected 'ninja_dyndep_version = ...'")
    lexer.expect(words.EQUALS)
    version = texts.expand(lexer.value(), _nothing)
    if name != "ninja_dyndep_version":
        raise lexer.error("expected 'ninja_dyndep_version = ...'")
    if not _VERSION.match(version):
        raise lexer.error(f"unsupported 'ninja_dyndep_version = {version}'", why="version 1 is read")


def _statement(lexer: Lexer) -> Discovered:
    at = lexer.at()
    output = lexer.path()
    if not output:
        raise lexer.error("expected path")
    output = _path(lexer, output, at)
    if lexer.path():
        raise lexer.error("explicit outputs not supported", why="an edge is known by one output")
    implicit_outputs = _paths(lexer, words.PIPE)
    lexer.expect(words.COLON)
    expected = "expected build command name 'dyndep'"
    if lexer.ident(expected) != "dyndep":
        raise lexer.error(expected)
    if lexer.path():
        raise lexer.error("explicit inputs not supported", fix="write them behind `|`")
    implicit = _paths(lexer, words.PIPE)
    if lexer.peek(words.TWO_PIPES):
        raise lexer.error("order-only inputs not supported", fix="write them behind `|`")
    lexer.expect(words.NEWLINE)
    restat = False
    if lexer.peek(words.INDENT):
        name = lexer.ident("expected variable name")
        lexer.expect(words.EQUALS)
        value = lexer.value()
        if name != "restat":
            raise lexer.error("binding is not 'restat'")
        restat = texts.expand(value, _nothing) != ""
    return Discovered(
        output,
        tuple(_path(lexer, path, at) for path in implicit_outputs),
        tuple(_path(lexer, path, at) for path in implicit),
        restat,
        at,
    )


def _paths(lexer: Lexer, mark: str) -> list[str]:
    found = []
    if lexer.peek(mark):
        while path := lexer.path():
            found.append(path)
    return found


def _path(lexer: Lexer, path: str, at: str) -> str:
    value = texts.expand(path, _nothing)
    if not value:
        raise lexer.error("empty path", at=at, why=f"{path} is nothing; a dyndep file has no variables")
    return canonical(value)


def _nothing(_name: str) -> str:
    return ""
