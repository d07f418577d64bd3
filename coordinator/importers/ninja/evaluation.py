"""What a variable is for one edge: its own, its rule's, its file's, in ninja's order. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from coordinator.importers.ninja import text
from coordinator.importers.ninja.edges import Context, Edge, Rule, Scope
from coordinator.importers.ninja.spelling import quoted, unpacked
from shared.errors import GraphError

# Packed paths none of which a shell would take apart.
_PLAIN = re.compile(r"[A-Za-z0-9_+\-./ ]*+")

# A template with its literals and, between them, variables with what they are when an edge does not say.
_Plan = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]


class Evaluation:
    """Evaluates bindings of edges against final scopes; keeps what edges of a rule have in common."""

    __slots__ = ("_contexts", "_own", "_plans", "_scopes")

    def __init__(self, scopes: Sequence[Scope], contexts: Sequence[Context]) -> None:
        self._scopes = scopes
        self._contexts = contexts
        self._plans: dict[tuple[int, str], _Plan | None] = {}
        self._own: tuple[str, dict[str, str]] = ("", {})  # of the edge last asked for

    def value(self, edge: Edge, name: str) -> str:
        """A binding, with $in and $out quoted for a shell."""
        key = (edge.context if edge.own else -1 - edge.context, name)
        plan = self._plans[key] if key in self._plans else self._plan(edge, key)
        own = self._bindings(edge) if edge.own else {}
        if plan is None or name in own:
            return self._of(edge, quoted).lookup(name)
        literals, variables = plan
        if not variables:
            return literals[0]
        parts = [literals[0]]
        for (variable, otherwise), literal in zip(variables, literals[1:], strict=True):
            if variable == "in":
                parts += (_words(edge.ins), literal)
            elif variable == "out":
                parts += (_words(edge.outs), literal)
            else:
                parts += (own.get(variable, otherwise), literal)
        return "".join(parts)

    def path(self, edge: Edge, name: str) -> str:
        """A binding that is a path, with $in and $out as they are."""
        return self._of(edge, str).lookup(name)

    def _bindings(self, edge: Edge) -> dict[str, str]:
        block, own = self._own
        if block is not edge.own:
            own = text.bindings(edge.own)
            self._own = (edge.own, own)
        return own

    def _plan(self, edge: Edge, key: tuple[int, str]) -> _Plan | None:
        """How a binding of a rule is made up, if it refers to no other binding of the rule."""
        context = self._contexts[edge.context]
        files = chain(self._scopes, context.scope)
        plan: _Plan | None = None
        if edge.own or key[1] not in files[0]:
            template = context.rule.bindings.get(key[1])
            if template is None:
                plan = ((first(files, key[1]),), ())
            else:
                literals, names = text.pieces(template)
                if "in_newline" not in names and not any(name in context.rule.bindings for name in names):
                    plan = (literals, tuple((name, first(files, name)) for name in names))
        self._plans[key] = plan
        return plan

    def _of(self, edge: Edge, spell: Callable[[str], str]) -> EdgeScope:
        context = self._contexts[edge.context]
        return EdgeScope(
            edge, self._bindings(edge) if edge.own else {}, chain(self._scopes, context.scope), context.rule, spell
        )


def chain(scopes: Sequence[Scope], number: int) -> list[dict[str, str]]:
    """The variables of a scope and of those around it, innermost first."""
    found = []
    while number >= 0:
        found.append(scopes[number].variables)
        number = scopes[number].parent
    return found


def first(files: Sequence[dict[str, str]], name: str) -> str:
    """The value of a variable in the innermost scope that has it; "" if none has."""
    for variables in files:
        if name in variables:
            return variables[name]
    return ""


def _words(packed: str) -> str:
    """Packed paths as words of a shell."""
    # Nearly always they are such words as they stand.
    return packed if _PLAIN.fullmatch(packed) else " ".join(map(quoted, unpacked(packed)))


class EdgeScope:
    """The variables of one edge, evaluated when they are asked for."""

    __slots__ = ("_edge", "_files", "_own", "_rule", "_spell", "_within")

    def __init__(
        self,
        edge: Edge,
        own: dict[str, str],
        files: list[dict[str, str]],
        rule: Rule,
        spell: Callable[[str], str],
    ) -> None:
        self._edge = edge
        # ninja gives an edge a scope only if it has variables: without, those of the file go before the rule's.
        self._own = own if edge.own else files[0]
        self._files = files
        self._rule = rule.bindings
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
            return first(self._files, name)
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
