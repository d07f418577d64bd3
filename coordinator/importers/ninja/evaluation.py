"""What a variable is for one edge: its own, its rule's, its file's, in ninja's order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from coordinator.importers.ninja import text
from coordinator.importers.ninja.spelling import quoted
from shared.errors import GraphError

if TYPE_CHECKING:
    from coordinator.importers.ninja.manifest import Context, Edge, Scope


class Evaluation:
    """Evaluates bindings of edges against final scopes; keeps nothing of an edge."""

    __slots__ = ("_contexts", "_scopes")

    def __init__(self, scopes: Sequence[Scope], contexts: Sequence[Context]) -> None:
        self._scopes = scopes
        self._contexts = contexts

    def value(self, edge: Edge, name: str) -> str:
        """A binding, with $in and $out quoted for a shell."""
        return self._of(edge, quoted).lookup(name)

    def path(self, edge: Edge, name: str) -> str:
        """A binding that is a path, with $in and $out as they are."""
        return self._of(edge, str).lookup(name)

    def _of(self, edge: Edge, spell: Callable[[str], str]) -> EdgeScope:
        context = self._contexts[edge.context]
        return EdgeScope(edge, chain(self._scopes, context.scope), context.rule.bindings, spell)


def chain(scopes: Sequence[Scope], number: int) -> list[dict[str, str]]:
    """The variables of a scope and of those around it, innermost first."""
    found = []
    while number >= 0:
        found.append(scopes[number].variables)
        number = scopes[number].parent
    return found


class EdgeScope:
    """The variables of one edge, evaluated when they are asked for."""

    __slots__ = ("_chain", "_edge", "_own", "_rule", "_spell", "_within")

    def __init__(
        self, edge: Edge, files: list[dict[str, str]], rule: dict[str, str], spell: Callable[[str], str]
    ) -> None:
        self._edge = edge
        # ninja gives an edge a scope only if it has variables: without, those of the file go before the rule's.
        self._own = text.bindings(edge.own) if edge.own else files[0]
        self._chain = files if edge.own else files[1:]
        self._rule = rule
        self._spell = spell
        self._within: list[str] = []

    def lookup(self, name: str) -> str:
        """The value of a variable; GraphError for a rule's variable that needs itself."""
        if name == "in":
            return " ".join(map(self._spell, self._edge.inputs))
        if name == "out":
            return " ".join(map(self._spell, self._edge.outputs))
        if name == "in_newline":
            return "\n".join(map(self._spell, self._edge.inputs))
        if name in self._own:
            return self._own[name]
        template = self._rule.get(name)
        if template is None:
            for variables in self._chain:
                if name in variables:
                    return variables[name]
            return ""
        if name in self._within:
            around = " -> ".join([*self._within[self._within.index(name) :], name])
            raise GraphError(
                f"cycle in rule variables: {around}",
                at=self._edge.at,
                why=f"rule '{self._edge.rule}' says what '{name}' is by itself",
                fix="give one of them a value of its own",
            )
        self._within.append(name)
        value = text.expand(template, self.lookup)
        self._within.pop()
        return value
