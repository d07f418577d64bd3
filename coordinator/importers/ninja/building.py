"""A Manifest while it is being read: its scopes, nodes and makers, and what may not be said twice. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from coordinator.importers.ninja import text as texts
from coordinator.importers.ninja.edges import PHONY, Context, Edge, Rule, Scope, Statements
from coordinator.importers.ninja.evaluation import EdgeScope, chain, first
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.spelling import canonical, packed
from shared.errors import GraphError

# The newest ninja whose language this is.
VERSION = (1, 13)

_NUMBER = re.compile(r"[ \t\v\f]*([+-]?[0-9]+)")
NAMES_ITSELF = "' names itself as an input"
_SELF = f"phony target '{{}}{NAMES_ITSELF}; it is ignored"


def spelt(edge: Edge) -> Edge:
    """An edge with its paths in their canonical spelling."""
    return msgspec.structs.replace(
        edge,
        outs=packed(map(canonical, edge.outputs)),
        implicit_outs=packed(map(canonical, edge.implicit_outputs)),
        ins=packed(map(canonical, edge.inputs)),
        implicit_ins=packed(map(canonical, edge.implicit)),
        order_ins=packed(map(canonical, edge.order_only)),
        validation_ins=packed(map(canonical, edge.validations)),
    )


class Building:
    """Everything read so far; load gives the text of a file by the name that a statement gives it."""

    def __init__(self, load: Callable[[str], str]) -> None:
        self.load = load
        self.edges: list[Edge] = []
        self.makers: dict[str, str] = {}  # where the edge is that makes a path
        self.pools: dict[str, int] = {"": 0, "console": 1}
        self.defaults: list[str] = []
        self.scopes: list[Scope] = []
        self.rules: list[dict[str, Rule]] = []  # by scope
        self.contexts: list[Context] = []
        self.files: list[str] = []
        self.open: list[str] = []
        self.warnings: list[str] = []
        self._numbers: dict[tuple[int, int], int] = {}

    def scope(self, parent: int) -> int:
        """A new scope, by number."""
        self.scopes.append(Scope({}, parent))
        self.rules.append({} if parent >= 0 else {PHONY: Rule(PHONY, {}, "")})
        return len(self.scopes) - 1

    def rule(self, scope: int, name: str) -> Rule | None:
        """The rule of a name that a scope sees now."""
        while scope >= 0:
            if name in self.rules[scope]:
                return self.rules[scope][name]
            scope = self.scopes[scope].parent
        return None

    def context(self, rule: Rule, scope: int) -> int:
        """The number of a rule and a scope together."""
        key = (id(rule), scope)
        if key not in self._numbers:
            self._numbers[key] = len(self.contexts)
            self.contexts.append(Context(rule, scope))
        return self._numbers[key]

    def variable(self, scope: int, name: str) -> str:
        """The value of a variable in a scope, now."""
        return first(chain(self.scopes, scope), name)

    def assign(self, scope: int, name: str, value: str, at: str) -> None:
        """Give a variable of a file its value; GraphError for a version of ninja that is to come."""
        if name == "ninja_required_version":
            self._require(value, at)
        self.scopes[scope].variables[name] = value

    def add_pool(self, name: str, depth: str, at: str) -> None:
        """A pool, its depth as written; GraphError for one below nothing."""
        number = _NUMBER.match(depth)
        if not number or number.end() != len(depth):
            self.warnings.append(f"{at}: pool '{name}': depth '{depth}' is no number; it is read as ninja does")
        self.pools[name] = int(number[1]) if number else 0

    def add(self, edge: Edge) -> None:
        """An edge; GraphError for what two edges make, for a pool that is not there and the like."""
        if edge.rule == PHONY and len(edge.outputs) == 1 and not edge.implicit_outs and not edge.implicit_ins:
            edge = self._without_itself(edge)
        pool, dyndep = self.pool_of(edge), self._variables_of(edge).lookup("dyndep")
        for output in edge.all_outputs:
            if output in self.makers:
                raise self._made_twice(output, edge)
            self.makers[output] = edge.at
        if dyndep:
            dyndep = canonical(dyndep)
            if dyndep not in edge.all_inputs:
                raise GraphError(
                    f"dyndep '{dyndep}' is not an input",
                    at=edge.at,
                    why="the file has to be there before the edge runs",
                    fix=f"add `|| {dyndep}` to the edge",
                )
        if pool or dyndep:
            edge = msgspec.structs.replace(edge, pool=pool, dyndep=dyndep)
        self.edges.append(edge)

    def pool_of(self, edge: Edge) -> str:
        """The pool of an edge, for which $in and $out are empty; GraphError if there is none of the name."""
        pool = self._variables_of(msgspec.structs.replace(edge, outs="", ins="")).lookup("pool")
        if pool not in self.pools:
            raise GraphError(
                f"unknown pool name '{pool}'", at=edge.at, fix=f"write `pool {pool}` with its depth before it is used"
            )
        return pool

    def knows(self, node: str) -> bool:
        """Whether an edge so far names this path."""
        return node in self.makers or any(node in edge.all_inputs or node in edge.validations for edge in self.edges)

    def manifest(self) -> Manifest:
        """All of it."""
        pools = {name: depth for name, depth in self.pools.items() if name}
        return Manifest(
            Statements(
                self.edges,
                pools,
                tuple(self.defaults),
                self.rules[0],
                tuple(self.scopes),
                tuple(self.contexts),
                tuple(self.files),
                tuple(self.warnings),
            )
        )

    def _variables_of(self, edge: Edge) -> EdgeScope:
        context = self.contexts[edge.context]
        own = texts.bindings(edge.own) if edge.own else {}
        return EdgeScope(edge, own, chain(self.scopes, context.scope), context.rule, str)

    def _without_itself(self, edge: Edge) -> Edge:
        output = edge.outputs[0]
        if output not in edge.inputs and output not in edge.order_only:
            return edge
        self.warnings.append(f"{edge.at}: {_SELF.format(output)}")
        return msgspec.structs.replace(
            edge,
            ins=packed(path for path in edge.inputs if path != output),
            order_ins=packed(path for path in edge.order_only if path != output),
        )

    def _made_twice(self, output: str, edge: Edge) -> GraphError:
        if self.makers[output] == edge.at:
            return GraphError(
                f"{output} is defined as an output multiple times", at=edge.at, fix="name it once in the edge"
            )
        return GraphError(
            f"multiple rules generate {output}",
            at=edge.at,
            why=f"the edge at {self.makers[output]} makes it too",
            fix="give one of them another output",
        )

    def _require(self, version: str, at: str) -> None:
        parts = [*version.split("."), "0"][:2]
        major, minor = (int(found[1]) if (found := _NUMBER.match(part)) else 0 for part in parts)
        ours = f"{VERSION[0]}.{VERSION[1]}"
        if (major, minor) > VERSION:
            raise GraphError(
                f"ninja_required_version {version} is newer than what this Windrow reads",
                at=at,
                why=f"it reads the language of ninja {ours}",
                fix="use a newer Windrow, or have the file written for an older ninja",
            )
        if major < VERSION[0]:
            self.warnings.append(
                f"{at}: ninja_required_version {version} is older than {ours}; the file may mean something else"
            )
