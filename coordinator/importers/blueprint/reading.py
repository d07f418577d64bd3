"""Reads a blueprint and the values of its inputs; GraphError, with the line, for what makes no sense. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from coordinator.importers.blueprint.document import Document
from coordinator.importers.blueprint.model import (
    EVERY,
    Blueprint,
    InputDecl,
    LoopDecl,
    Made,
    ProducerDecl,
    Ref,
    Values,
)
from shared.errors import GraphError
from shared.model.path import written

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_REF = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,63})((?:\[(?:\*|[A-Za-z][A-Za-z0-9_]{0,63})\])*)")
_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]*")

_TOP = ("blueprint", "description", "inputs", "loops", "producers", "rates")
_INPUT = ("default", "optional", "file", "description")
_LOOP = ("count", "in", "description")
_PRODUCER = ("call", "each", "reads", "makes", "config", "rate", "cost", "timeout", "description")
_NUMBER = (int, float)


def read_blueprint(text: str, label: str) -> Blueprint:
    """The blueprint of a YAML text; `label` is the file's name in messages."""
    return _Reader(Document(text, label)).blueprint()


def read_values(text: str, label: str, blueprint: Blueprint) -> Values:
    """The values that a YAML text gives to the inputs of a blueprint; those not given have their default."""
    document = Document(text, label)
    given = {} if document.data is None else document.data
    if not isinstance(given, dict):
        raise GraphError(f"{label} is no mapping of inputs to values", at=document.at())
    for name in given:
        if name not in blueprint.inputs:
            raise _unknown(f"input '{name}'", name, blueprint.inputs, document.at(name))
    values: dict[str, Any] = {}
    for name, declared in blueprint.inputs.items():
        if declared.file and name in given:
            why = f"{declared.at} says that it is the file {declared.file}"
            raise GraphError(f"input '{name}' takes no value", at=document.at(name), why=why)
        if name in given and given[name] is not None:
            values[name] = given[name]
        elif declared.optional or declared.default is not None:
            values[name] = declared.default
        elif not declared.file:
            raise GraphError(
                f"input '{name}' has no value",
                at=document.at(name) if name in given else label,
                why=f"{declared.at} declares it without a default",
                fix=f"{name}: …",
            )
    return Values(values, {name: document.at(name) for name in given})


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document, self.label = document, document.label

    def blueprint(self) -> Blueprint:
        top = self._mapping((), self.document.data)
        self._known((), top, _TOP, "a blueprint")
        if "blueprint" not in top:
            raise GraphError(f"{self.label} names no blueprint", at=self._at(), fix="blueprint: movie")
        inputs = {name: self._input(name, raw) for name, raw in self._table(top, "inputs")}
        loops = {name: self._loop(name, raw) for name, raw in self._table(top, "loops")}
        for loop in loops.values():
            self._check_loop(loop, loops, inputs)
        rates = {name: self._rate(name, raw) for name, raw in self._table(top, "rates")}
        producers = {name: self._producer(name, raw, loops, rates) for name, raw in self._table(top, "producers")}
        self._unique(inputs, producers)
        return Blueprint(
            self._name((), top["blueprint"], "blueprint", at=("blueprint",)),
            inputs,
            loops,
            producers,
            rates,
            self._text(("description",), top.get("description", "")),
        )

    # -- parts ----------------------------------------------------------------------------------------

    def _input(self, name: str, raw: Any) -> InputDecl:
        path = ("inputs", name)
        fields = {} if raw is None else self._mapping(path, raw)
        self._known(path, fields, _INPUT, f"input '{name}'")
        optional, default = fields.get("optional", False), fields.get("default")
        if not isinstance(optional, bool):
            raise self._wrong((*path, "optional"), "true or false", optional)
        if optional and "default" not in fields:
            raise GraphError(
                f"optional input '{name}' has no default",
                at=self._at(*path),
                why="what a producer gets when nobody gives it a value would be anybody's guess",
                fix="default: …",
            )
        file = self._text((*path, "file"), fields.get("file", ""))
        if file:
            if default is not None:
                raise GraphError(f"input '{name}' is a file and has a default", at=self._at(*path, "default"))
            file = self._path((*path, "file"), file)
        return InputDecl(name, self._at(*path), file, default, optional)

    def _loop(self, name: str, raw: Any) -> LoopDecl:
        path = ("loops", name)
        fields = self._mapping(path, raw)
        self._known(path, fields, _LOOP, f"loop '{name}'")
        count = fields.get("count")
        if isinstance(count, bool) or not isinstance(count, str | int) or (isinstance(count, int) and count < 0):
            raise self._wrong((*path, "count"), "an input's name or a whole number", count)
        return LoopDecl(name, count, self._at(*path), self._text((*path, "in"), fields.get("in", "")))

    def _check_loop(self, loop: LoopDecl, loops: dict[str, LoopDecl], inputs: dict[str, InputDecl]) -> None:
        if isinstance(loop.count, str) and loop.count not in inputs:
            raise _unknown(f"input '{loop.count}'", loop.count, inputs, self._at("loops", loop.name, "count"))
        trail = [loop.name]
        while parent := loops[trail[-1]].parent:
            if parent not in loops:
                raise _unknown(f"loop '{parent}'", parent, loops, self._at("loops", trail[-1], "in"))
            trail.append(parent)
            if parent in trail[:-1]:
                raise GraphError("loops lie within each other", at=loop.at, why=" in ".join(trail))

    def _rate(self, name: str, raw: Any) -> int:
        self._name(("rates",), name, "rate key", at=("rates", name))
        if isinstance(raw, bool) or not isinstance(raw, int) or raw < 1:
            raise self._wrong(("rates", name), "a whole number of jobs, at least 1", raw)
        return raw

    def _producer(self, name: str, raw: Any, loops: dict[str, LoopDecl], rates: dict[str, int]) -> ProducerDecl:
        path = ("producers", name)
        fields = self._mapping(path, raw)
        self._known(path, fields, _PRODUCER, f"producer '{name}'")
        call = self._text((*path, "call"), fields.get("call", ""))
        if not call:
            raise GraphError(f"producer '{name}' has no call", at=self._at(*path), fix="call: mock.text")
        each = self._each(path, fields.get("each", []), loops)
        reads: list[tuple[Ref, str]] = []
        for number, text in enumerate(self._list((*path, "reads"), fields.get("reads", []))):
            place = (*path, "reads", number)
            ref = self._ref(place, text)
            for index in ref.indices:
                if index != EVERY and index not in each:
                    raise self._not_in_loop(place, ref, index, each, loops)
            reads.append((ref, self._at(*place)))
        makes = self._makes(path, fields.get("makes"), each, loops)
        config = self._mapping((*path, "config"), fields.get("config") or {})
        rate = self._text((*path, "rate"), fields.get("rate", ""))
        if rate and rate not in rates:
            raise _unknown(f"rate key '{rate}'", rate, rates, self._at(*path, "rate"), fix=f"rates: {{{rate}: 4}}")
        cost = self._number((*path, "cost"), fields.get("cost", 0))
        timeout = self._number((*path, "timeout"), fields.get("timeout", 0))
        return ProducerDecl(name, call, self._at(*path), each, tuple(reads), makes, config, rate, cost, timeout)

    def _each(self, path: tuple[str, ...], raw: Any, loops: dict[str, LoopDecl]) -> tuple[str, ...]:
        each = self._list((*path, "each"), [raw] if isinstance(raw, str) else raw)
        for number, loop in enumerate(each):
            place: tuple[str | int, ...] = (*path, "each", number)
            if not isinstance(loop, str) or loop not in loops:
                raise _unknown(f"loop '{loop}'", str(loop), loops, self._at(*place))
            if loops[loop].parent and loops[loop].parent not in each[:number]:
                raise GraphError(
                    f"loop '{loop}' is used without the one it lies in",
                    at=self._at(*place),
                    why=f"{loops[loop].at} says that it lies in '{loops[loop].parent}'",
                    fix=f"each: [{loops[loop].parent}, {loop}]",
                )
        if len(set(each)) != len(each):
            raise GraphError(f"producer '{path[1]}' names a loop twice", at=self._at(*path, "each"))
        return tuple(each)

    def _makes(
        self, path: tuple[str, ...], raw: Any, each: tuple[str, ...], loops: dict[str, LoopDecl]
    ) -> tuple[Made, ...]:
        table = self._mapping((*path, "makes"), raw or {})
        if not table:
            fix = "makes: {Script: text/plain}"
            raise GraphError(f"producer '{path[1]}' makes nothing", at=self._at(*path), fix=fix)
        made: list[Made] = []
        for text, type_ in table.items():
            place = (*path, "makes", text)
            ref = self._ref(place, text)
            for index in ref.indices:
                if index not in loops:
                    raise _unknown(f"loop '{index}'", index, loops, self._at(*place))
            if ref.indices[: len(each)] != each:
                raise GraphError(
                    f"producer '{path[1]}' would make {text} more than once",
                    at=self._at(*place),
                    why=f"it runs for each {', '.join(each)}, and {ref.name} does not begin with that",
                    fix=f"{Ref(ref.name, each)}: {type_}",
                )
            if not isinstance(type_, str) or not _TYPE.fullmatch(type_):
                raise self._wrong(place, "a MIME type such as text/plain", type_)
            made.append(Made(ref, type_, self._at(*place)))
        return tuple(made)

    def _unique(self, inputs: dict[str, InputDecl], producers: dict[str, ProducerDecl]) -> None:
        """One name is one thing: an input, or an artefact of one producer."""
        owner = {name: (f"input '{name}'", declared.at) for name, declared in inputs.items()}
        for producer in producers.values():
            for made in producer.makes:
                name = made.ref.name
                if name in owner:
                    what, at = owner[name]
                    raise GraphError(
                        f"producer '{producer.name}' makes {name}, and so does {what}"
                        if what.startswith("producer")
                        else f"producer '{producer.name}' makes {name}, which is an input",
                        at=made.at,
                        why=f"see {at}",
                        fix="give one of them another name",
                    )
                owner[name] = (f"producer '{producer.name}'", made.at)

    # -- values ---------------------------------------------------------------------------------------

    def _at(self, *path: str | int) -> str:
        return self.document.at(*path)

    def _table(self, top: dict[str, Any], name: str) -> Iterable[tuple[str, Any]]:
        table = self._mapping((name,), top.get(name) or {})
        for key in table:
            self._name((name,), key, name.removesuffix("s"), at=(name, key))
        return table.items()

    def _mapping(self, path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(path, "a mapping", value)
        return value

    def _list(self, path: tuple[str | int, ...], value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self._wrong(path, "a list", value)
        return value

    def _text(self, path: tuple[str | int, ...], value: Any) -> str:
        if not isinstance(value, str):
            raise self._wrong(path, "text", value)
        return value

    def _number(self, path: tuple[str | int, ...], value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, _NUMBER) or not math.isfinite(value) or value < 0:
            raise self._wrong(path, "a number, at least 0", value)
        return float(value)

    def _path(self, path: tuple[str | int, ...], value: str) -> str:
        try:
            return written(value)
        except ValueError as error:
            raise GraphError(f"'{value}' is no path of the project", at=self._at(*path), why=str(error)) from error

    def _name(self, path: tuple[str | int, ...], value: Any, what: str, *, at: tuple[str | int, ...]) -> str:
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise GraphError(
                f"'{value}' is no name for the {what}",
                at=self._at(*at),
                why="a name begins with a letter and goes on with letters, digits and _, at most 64",
            )
        return value

    def _ref(self, path: tuple[str | int, ...], value: Any) -> Ref:
        found = _REF.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise self._wrong(path, "a name such as Style, Image[segment] or Image[*]", value)
        return Ref(found[1], tuple(found[2][1:-1].split("][")) if found[2] else ())

    def _known(self, path: tuple[str | int, ...], fields: dict[str, Any], known: Iterable[str], where: str) -> None:
        for name in fields:
            if name not in known:
                raise _unknown(f"key '{name}' in {where}", name, known, self._at(*path, name))

    def _wrong(self, path: tuple[str | int, ...], wanted: str, value: Any) -> GraphError:
        name = next((str(part) for part in reversed(path) if isinstance(part, str)), self.label)
        return GraphError(f"`{name}` must be {wanted}, not {_kind(value)}", at=self._at(*path))

    def _not_in_loop(
        self, path: tuple[str | int, ...], ref: Ref, index: str, each: tuple[str, ...], loops: dict[str, LoopDecl]
    ) -> GraphError:
        if index not in loops:
            return _unknown(f"loop '{index}'", index, loops, self._at(*path))
        runs = f"it runs for each {', '.join(each)}" if each else "it runs once"
        return GraphError(
            f"{ref} says which {index}, and the producer '{path[1]}' has none",
            at=self._at(*path),
            why=runs,
            fix=f"write [*] for all of them, or add {index} to `each`",
        )


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value[:40]}'"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else str(value)


def _unknown(what: str, name: str, known: Iterable[str], at: str, *, fix: str = "") -> GraphError:
    import difflib  # noqa: PLC0415 - only for a typo

    close = difflib.get_close_matches(name, list(known), n=1)
    return GraphError(
        f"unknown {what}",
        at=at,
        why=f"known are: {', '.join(known) or 'none'}",
        fix=f"did you mean {close[0]}?" if close else fix,
    )
