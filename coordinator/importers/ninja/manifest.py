"""What a build.ninja says, as values: edges, rules, scopes, pools. See docs/design/ninja-language.md."""

from __future__ import annotations

import msgspec

from coordinator.importers.ninja.evaluation import Evaluation

PHONY = "phony"
# What a rule may say; edges and files may say anything.
RESERVED = frozenset(
    (
        "command",
        "depfile",
        "deps",
        "description",
        "dyndep",
        "generator",
        "msvc_deps_prefix",
        "pool",
        "restat",
        "rspfile",
        "rspfile_content",
    )
)


class Rule(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A `rule` block: its bindings as written, for they are evaluated edge by edge."""

    name: str
    bindings: dict[str, str]
    at: str


class Scope(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The variables of one file at its end; parent is the scope of the file that names it with `subninja`, or -1."""

    variables: dict[str, str]
    parent: int


class Context(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where the bindings of an edge come from beside its own: a rule, and a scope by its number."""

    rule: Rule
    scope: int


class Edge(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A `build` statement. Paths are in ninja's canonical spelling, in the order in which they are written.

    own: its variables, as a block for text.bindings(). context: a number in Manifest.contexts.
    pool and dyndep are evaluated where they stand; for the rest ask Manifest.value().
    """

    outputs: tuple[str, ...]
    implicit_outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    implicit: tuple[str, ...]
    order_only: tuple[str, ...]
    validations: tuple[str, ...]
    rule: str
    at: str
    own: str
    context: int
    pool: str
    dyndep: str

    @property
    def phony(self) -> bool:
        """Whether it only gives a name to its inputs."""
        return self.rule == PHONY

    @property
    def all_outputs(self) -> tuple[str, ...]:
        """Every path it makes."""
        return self.outputs + self.implicit_outputs

    @property
    def all_inputs(self) -> tuple[str, ...]:
        """Every path that has to be there before it runs; validations are not."""
        return self.inputs + self.implicit + self.order_only


class Manifest(msgspec.Struct, frozen=True, eq=False, array_like=True):
    """All that a build.ninja and the files it names say.

    pools: depth by name; 0 has no limit. rules and variables: those of the outermost scope. files: every file read,
    in order, relative to the folder of the first unless absolute. nodes are looked up in `edges` by the queries.
    """

    edges: list[Edge]
    pools: dict[str, int]
    defaults: tuple[str, ...]
    rules: dict[str, Rule]
    scopes: tuple[Scope, ...]
    contexts: tuple[Context, ...]
    files: tuple[str, ...]
    warnings: tuple[str, ...]
    evaluations: dict[None, Evaluation] = {}

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the outermost scope: `builddir` and `ninja_required_version` among them."""
        return self.scopes[0].variables

    def value(self, edge: Edge, name: str) -> str:
        """What a variable is for an edge, its paths quoted for a shell; "" when nothing says."""
        return self._evaluation().value(edge, name)

    def command(self, edge: Edge) -> str:
        """The command line; "" for a phony edge."""
        return "" if edge.phony else self._evaluation().value(edge, "command")

    def description(self, edge: Edge) -> str:
        """What to show instead of the command."""
        return self._evaluation().value(edge, "description")

    def depfile(self, edge: Edge) -> str:
        """The path of the file that tells of discovered inputs."""
        return self._evaluation().path(edge, "depfile")

    def deps(self, edge: Edge) -> str:
        """How discovered inputs are told: "gcc", "msvc" or ""."""
        return self._evaluation().value(edge, "deps")

    def msvc_deps_prefix(self, edge: Edge) -> str:
        """What stands before a path that /showIncludes prints; "" is the English default."""
        return self._evaluation().value(edge, "msvc_deps_prefix")

    def restat(self, edge: Edge) -> bool:
        """Whether its outputs may stay as they were."""
        return self._evaluation().value(edge, "restat") != ""

    def generator(self, edge: Edge) -> bool:
        """Whether it makes build files, and a changed command alone does not run it."""
        return self._evaluation().value(edge, "generator") != ""

    def rspfile(self, edge: Edge) -> str:
        """The path of the response file."""
        return self._evaluation().path(edge, "rspfile")

    def rspfile_content(self, edge: Edge) -> str:
        """What goes into the response file."""
        return self._evaluation().value(edge, "rspfile_content")

    def _evaluation(self) -> Evaluation:
        if None not in self.evaluations:
            self.evaluations[None] = Evaluation(self.scopes, self.contexts)
        return self.evaluations[None]
