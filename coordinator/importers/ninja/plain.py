"""Edges whose paths hold no `$`, taken apart by the methods of str: nearly all of what generators write. Pure.

It reads what the lexer reads, and leaves to the lexer whatever is unusual or wrong.
"""

from __future__ import annotations

import re

from coordinator.importers.ninja import text as texts
from coordinator.importers.ninja.building import Building, spelt
from coordinator.importers.ninja.edges import PHONY, Edge
from coordinator.importers.ninja.evaluation import chain
from coordinator.importers.ninja.lexer import Lexer

_GAP = re.compile(r"(?:\n|#.*+\n)*+")
_OWN = re.compile(r"(?: ++[A-Za-z0-9_.\-]++ *+=.*+\n)++")
# A comment may stand between the variables of an edge.
_GOES_ON = re.compile(r"(?:#.*+\n)*+ ")
_EARLY = ("pool", "dyndep")  # evaluated where the edge stands


class PlainEdges:
    """Reads plain edges of one file into a Building; forget() when a statement of another kind was read."""

    __slots__ = ("_building", "_contexts", "_lexer", "_loud", "_scope", "_unreadable")

    def __init__(self, building: Building, lexer: Lexer, scope: int) -> None:
        self._building = building
        self._lexer = lexer
        self._scope = scope
        self._contexts: dict[str, int] = {}
        self._loud: set[int] = set()
        # They end a line or the file for the lexer, and for no method of str.
        self._unreadable = "\r" in lexer.text or "\0" in lexer.text

    def forget(self) -> None:
        """Rules or variables of the file are not what they were."""
        self._contexts.clear()
        self._loud.clear()

    def read(self) -> None:  # noqa: C901, PLR0912, PLR0915 - a call for each of 100,000 edges costs too much
        """Read as many as follow each other."""
        if self._unreadable:
            return
        building, lexer, contexts, loud = self._building, self._lexer, self._contexts, self._loud
        text, name, position = lexer.text, lexer.name, lexer.position
        makers, add = building.makers, building.edges.append
        line, starts, find = lexer.line(position), text.startswith, text.find
        while True:
            if not starts("build ", position):
                gap = _GAP.match(text, position).end()  # type: ignore[union-attr]
                line += text.count("\n", position, gap)
                position = gap
                if not starts("build ", position):
                    break
            end = find("\n", position)
            said = text[position + 6 : end]
            if end < 0 or "$" in said or said.count(":") != 1 or said[0] in " :":
                break
            head, _, rest = said.partition(": ")
            rule, _, ins = rest.partition(" ")
            context = contexts[rule] if rule in contexts else self._context(rule)
            if context is None:
                break
            outs, implicit_outs, implicit, order_only, validations = head, "", "", "", ""
            if "|" in said:
                outs, first, implicit_outs = head.partition(" | ")
                ins, fourth, validations = f" {ins}".partition(" |@ ")
                ins, third, order_only = ins.partition(" || ")
                ins, second, implicit = ins.partition(" | ")
                ins = ins[1:]
                bars = (first != "") + (second != "") + 2 * (third != "") + (fourth != "")
                if said.count("|") != bars:
                    break
            own = ""
            after = end + 1
            if starts((" ", "#"), after):
                if found := _OWN.match(text, after):
                    own, after = found[0], found.end()
                if _GOES_ON.match(text, after):
                    break
                if "$" in own:
                    expanded = self._expanded(own)
                    if expanded is None:
                        break
                    own = expanded
            if "  " in said or head[-1] == " " or said[-1] == " ":
                break
            at = f"{name}:{line}"
            # What is apart by single spaces is packed already.
            edge = Edge(outs, implicit_outs, ins, implicit, order_only, validations, rule, at, own, context, "", "")
            if "./" in said or "//" in said or "/ " in said or ". " in said or head[-1] in "./" or said[-1] in "./":
                edge = spelt(edge)
                outs = edge.outs
            if " " in outs or implicit_outs or context in loud or "pool" in own or "dyndep" in own:
                building.add(edge)
            elif outs in makers:
                break
            else:
                makers[outs] = at
                add(edge)
            position = after
            line += 1 + own.count("\n")
        lexer.position = position

    def _context(self, name: str) -> int | None:
        """The context of a rule here, and whether its edges need a closer look; None if there is no such rule."""
        building = self._building
        rule = building.rule(self._scope, name)
        if rule is None:
            return None
        number = self._contexts[name] = building.context(rule, self._scope)
        around = chain(building.scopes, self._scope)
        if name == PHONY or any(early in said for early in _EARLY for said in (rule.bindings, *around)):
            self._loud.add(number)
        return number

    def _expanded(self, own: str) -> str | None:
        """A block of variables with those of the file put in; None when the lexer has to read it."""
        lines = own.split("\n")
        for number, line in enumerate(lines):
            if "$" in line:
                name, _, value = line.partition("=")
                value = value.lstrip(" ")
                # A line that goes on in the next one ends in a `$`, which is no value.
                if not texts.VALUE.fullmatch(value):
                    return None
                value = texts.expand(value, self._variable)
                lines[number] = f"{name}={texts.escaped(value)}"
        return "\n".join(lines)

    def _variable(self, name: str) -> str:
        return self._building.variable(self._scope, name)
