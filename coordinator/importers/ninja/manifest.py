"""What a build.ninja says, as values: edges, rules, scopes, pools. See docs/design/ninja-language.md."""

from __future__ import annotations

import msgspec

from coordinator.importers.ninja.evaluation import Evaluation
from coordinator.importers.ninja.spelling import unpacked

PHONY = "phony"
# What compilers that speak English put before a header that they name by /showIncludes.
_ENGLISH = "Note: including file:"
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

    The paths of each kind are kept in one string, as spelling.packed() makes it: 100,000 edges have half a million
    of them. outputs, inputs and so on take it apart each time they are asked for.
    own: its variables, as a block for text.bindings(). context: a number in Manifest.contexts.
    pool and dyndep are evaluated where they stand; for the rest ask Manifest.value().
    """

    outs: str
    implicit_outs: str
    ins: str
    implicit_ins: str
    order_ins: str
    validation_ins: str
    rule: str
    at: str
    own: str
    context: int
    pool: str
    dyndep: str

    @property
    def outputs(self) -> tuple[str, ...]:
        """What it makes and `$out` names."""
        return unpacked(self.outs)

    @property
    def implicit_outputs(self) -> tuple[str, ...]:
        """What it makes beside, behind `|`."""
        return unpacked(self.implicit_outs)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it needs and `$in` names."""
        return unpacked(self.ins)

    @property
    def implicit(self) -> tuple[str, ...]:
        """What it needs beside, behind `|`."""
        return unpacked(self.implicit_ins)

    @property
    def order_only(self) -> tuple[str, ...]:
        """What has to be there before it runs and may change without it, behind `||`."""
        return unpacked(self.order_ins)

    @property
    def validations(self) -> tuple[str, ...]:
        """What is built as well, not before it, behind `|@`."""
        return unpacked(self.validation_ins)

    @property
    def all_outputs(self) -> tuple[str, ...]:
        """Every path it makes."""
        return self.outputs + self.implicit_outputs if self.implicit_outs else self.outputs

    @property
    def all_inputs(self) -> tuple[str, ...]:
        """Every path that has to be there before it runs; validations are not."""
        found = self.inputs
        if self.implicit_ins:
            found += self.implicit
        return found + self.order_only if self.order_ins else found

    @property
    def phony(self) -> bool:
        """Whether it only gives a name to its inputs."""
        return self.rule == PHONY


class Statements(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """All that is kept of a manifest; see Manifest."""

    edges: list[Edge]
    pools: dict[str, int]
    defaults: tuple[str, ...]
    rules: dict[str, Rule]
    scopes: tuple[Scope, ...]
    contexts: tuple[Context, ...]
    files: tuple[str, ...]
    warnings: tuple[str, ...]


class Manifest:
    """All that a build.ninja and the files it names say; not to be changed.

    edges: in file order. pools: depth by name; 0 has no limit. defaults: of `default`, empty if there is none.
    rules and variables: those of the outermost scope. files: every file read, in order, relative to the folder of
    the first unless absolute. warnings: what ninja warns of as well.
    """

    __slots__ = (
        "_ancestry",
        "_evaluation",
        "contexts",
        "defaults",
        "edges",
        "files",
        "pools",
        "rules",
        "scopes",
        "warnings",
    )

    def __init__(self, said: Statements) -> None:
        self.edges = said.edges
        self.pools = said.pools
        self.defaults = said.defaults
        self.rules = said.rules
        self.scopes = said.scopes
        self.contexts = said.contexts
        self.files = said.files
        self.warnings = said.warnings
        self._evaluation = Evaluation(self.scopes, self.contexts)
        self._ancestry: tuple[Edge, ...] | None = None

    def statements(self) -> Statements:
        """What to keep of it."""
        return Statements(
            self.edges,
            self.pools,
            self.defaults,
            self.rules,
            self.scopes,
            self.contexts,
            self.files,
            self.warnings,
        )

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the outermost scope: `builddir` and `ninja_required_version` among them."""
        return self.scopes[0].variables

    def makers(self) -> tuple[Edge, ...]:
        """The edges that make the build file itself, by way of others and of phony ones too, in order.

        CMake and Meson have one edge that makes it; GN one that makes a stamp, and a phony edge from that to the file.
        """
        return tuple(edge for edge in self.ancestry() if not edge.phony)

    def ancestry(self) -> tuple[Edge, ...]:
        """The makers of the build file, and the phony edges on the way."""
        if self._ancestry is None:
            found: dict[str, Edge] = {}
            asked = {self.files[0]}
            new = set(asked)
            while new:
                # Most edges have one output, whose packed form is its path.
                several = (edge for edge in self.edges if edge.outs in new or edge.implicit_outs or " " in edge.outs)
                above = [edge for edge in several if not new.isdisjoint(edge.all_outputs)]
                found = {edge.all_outputs[0]: edge for edge in above} | found
                new = {path for edge in above for path in edge.all_inputs} - asked
                asked |= new
            self._ancestry = tuple(found.values())
        return self._ancestry

    def value(self, edge: Edge, name: str) -> str:
        """What a variable is for an edge, its paths quoted for a shell; "" when nothing says."""
        return self._evaluation.value(edge, name)

    def command(self, edge: Edge) -> str:
        """The command line; "" for a phony edge."""
        return "" if edge.phony else self._evaluation.value(edge, "command")

    def description(self, edge: Edge) -> str:
        """What to show instead of the command."""
        return self._evaluation.value(edge, "description")

    def depfile(self, edge: Edge) -> str:
        """The path of the file that tells of discovered inputs."""
        return self._evaluation.path(edge, "depfile")

    def deps(self, edge: Edge) -> str:
        """How discovered inputs are told: "gcc", "msvc" or ""."""
        return self._evaluation.value(edge, "deps")

    def msvc_deps_prefix(self, edge: Edge) -> str:
        """What stands before a path that /showIncludes prints; "" is the English default."""
        return self._evaluation.value(edge, "msvc_deps_prefix")

    def notes(self, edge: Edge) -> str:
        """What stands before the headers that its output names; "" unless `deps = msvc` says that it names any."""
        return (self.msvc_deps_prefix(edge) or _ENGLISH) if self.deps(edge) == "msvc" else ""

    def restat(self, edge: Edge) -> bool:
        """Whether its outputs may stay as they were."""
        return self._evaluation.value(edge, "restat") != ""

    def generator(self, edge: Edge) -> bool:
        """Whether it makes build files, and a changed command alone does not run it."""
        return self._evaluation.value(edge, "generator") != ""

    def rspfile(self, edge: Edge) -> str:
        """The path of the response file."""
        return self._evaluation.path(edge, "rspfile")

    def rspfile_content(self, edge: Edge) -> str:
        """What goes into the response file."""
        return self._evaluation.value(edge, "rspfile_content")
