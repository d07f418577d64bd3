"""What a build.ninja says, and what each edge of it comes to. See docs/design/ninja-language.md."""

from __future__ import annotations

from coordinator.importers.ninja.edges import Edge, Statements
from coordinator.importers.ninja.evaluation import Evaluation

# What compilers that speak English put before a header that they name by /showIncludes.
_ENGLISH = "Note: including file:"


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
