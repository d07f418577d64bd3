"""The statements of a build.ninja as values: edges, rules, scopes. See docs/design/ninja-language.md. Pure."""

from __future__ import annotations

import msgspec

from coordinator.importers.ninja.spelling import unpacked

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
