"""BuildGraph: recipes and the files between them.

A recipe is a rule applied to its files; with the digests of its inputs it becomes an
action, and within a plan a job of the same id.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Set
from typing import Literal

import msgspec

from shared.errors import DependencyCycle, GraphError
from shared.model.action import unmarked
from shared.model.tests import TestMap

# How the inputs of a recipe are told before a run has told them, and where it may run.
Finds = Literal["declared", "includes", "tree"]
Place = Literal["any", "here", "workspace"]


class Recipe(msgspec.Struct, frozen=True):
    """What can be run, in terms of paths.

    id: `rule:first output`, unique. argv: the command. env: sorted (name, value or None for unset).
    inputs: paths that are always part of the key, sorted. candidates: paths it may read, sorted; the
    depfile of a run tells which it did. outputs: every path it writes. depfile: where it writes that list.
    notes: how it tells it in its output instead, keeps_depfile: whether that list stays; see Action.
    timeout: seconds, None for the default. tools: identity of the tools it runs, empty for those of the
    graph's platform. at: `file:line` of the rule.

    What imported builds add (root, cwd, mounts, files, loose: see Action): after: paths that must be made
    before, read or not. finds: how its inputs are found before a run has told them. place: on any worker; here,
    in a sandbox; or in the workspace itself, where nothing is cached. pool: which of the graph's pools bounds it.
    always: it runs whenever it is asked for. libraries: shared ones it is given, sorted, for which one of its inputs
    stands: what they hold does not count. outside: absolute paths beyond the tree that it reads, with their
    digests. stored: its outputs are for other recipes alone, and stay in the store. description: for people.

    What blueprints add: cost: what running it once costs. editable: what somebody writes over an output of it stays,
    until its own inputs change.
    """

    id: str
    rule: str
    argv: tuple[str, ...]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    env: tuple[tuple[str, str | None], ...] = ()
    depfile: str | None = None
    timeout: float | None = None
    kind: str = "command"
    tools: str = ""
    at: str = ""
    root: str = ""
    cwd: str = ""
    mounts: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    after: tuple[str, ...] = ()
    finds: Finds = "declared"
    place: Place = "any"
    pool: str = ""
    loose: bool = False
    always: bool = False
    outside: tuple[tuple[str, str], ...] = ()
    libraries: tuple[str, ...] = ()
    stored: bool = False
    description: str = ""
    cost: float = 0.0
    editable: bool = False
    notes: str = ""
    keeps_depfile: bool = False

    @property
    def tells(self) -> bool:
        """Whether a run says itself what it read."""
        return self.depfile is not None or self.notes != ""

    @property
    def kept_depfile(self) -> tuple[str, ...]:
        """The path of the depfile, if it stays."""
        return (self.depfile,) if self.keeps_depfile and self.depfile is not None else ()

    @property
    def command(self) -> tuple[str, ...]:
        """The command as it is run where the tree lies at its root."""
        return tuple(unmarked(word, self.root) for word in self.argv)

    @property
    def told(self) -> tuple[str, ...]:
        """Its outputs as they are called where the command runs."""
        return tuple(posixpath.relpath(path, self.cwd) for path in self.outputs) if self.cwd else self.outputs

    @property
    def told_files(self) -> tuple[tuple[str, str], ...]:
        """Its response files with the root's own path in them."""
        return tuple((path, unmarked(text, self.root)) for path, text in self.files)


class Names(msgspec.Struct, frozen=True):
    """What an imported build or a blueprint calls its parts, beside the paths that recipes make.

    aliases: a name that no recipe makes (a phony edge) to the ids it stands for. default: the ids that are wanted
    when nothing is asked for; None for all. validations: an id to those wanted with it, in no order. missing: an
    id to a path it needs that is not there and nobody makes, and to who names it. missing_before: the same of what only
    comes before it, which is no matter unless it runs. wrong_deps: an id to what is wrong with how it is to tell what
    it reads. pools: how many of a pool's jobs may run at once.
    absent: a name that no recipe makes to a path it stands for that is not there, and to who needs it; "" is what is
    wanted by default. circles: a name whose makers wait for each other, or for such, to what is to be said of it; "" as
    for absent. artefacts: a path to its canonical id and MIME type. inputs: the id of an input to the digest of
    its value.
    """

    aliases: Mapping[str, tuple[str, ...]] = {}
    default: tuple[str, ...] | None = None
    validations: Mapping[str, tuple[str, ...]] = {}
    missing: Mapping[str, tuple[str, str]] = {}
    missing_before: Mapping[str, tuple[str, str]] = {}
    wrong_deps: Mapping[str, str] = {}
    pools: Mapping[str, int] = {}
    absent: Mapping[str, tuple[str, str]] = {}
    circles: Mapping[str, str] = {}
    artefacts: Mapping[str, tuple[str, str]] = {}
    inputs: Mapping[str, str] = {}


class BuildGraph:
    """Recipes by id, who makes each path, and the order between them.

    Raises GraphError when two recipes make one path, or when recipes wait for each other.
    `fingerprint` names everything the graph was made from besides the tree (environment
    taken over, platform); equal tree and equal fingerprint mean an equal graph. `warnings` says what is
    odd about the rules, though no error. `also`: paths that recipes made though they do not declare them, by id.
    `tests`: of which files the project's tests are, where it has tests.
    """

    def __init__(
        self,
        recipes: Iterable[Recipe],
        *,
        platform: str = "",
        fingerprint: str = "",
        warnings: Iterable[str] = (),
        names: Names | None = None,
        also: Mapping[str, tuple[str, ...]] | None = None,
        tests: TestMap | None = None,
    ) -> None:
        self.recipes: dict[str, Recipe] = {}
        self.producer: dict[str, str] = {}
        self.platform = platform
        self.fingerprint = fingerprint
        self.warnings = tuple(warnings)
        self.names = names or Names()
        self.tests = tests
        for recipe in recipes:
            for path in recipe.outputs:
                other = self.producer.setdefault(path, recipe.id)
                if other != recipe.id:
                    raise GraphError(
                        f"two rules make {path}",
                        at=recipe.at,
                        why=f"rule '{self.recipes[other].rule}' ({self.recipes[other].at}) already makes it",
                        fix="give one of them another output",
                    )
            self.recipes[recipe.id] = recipe
        self._refuse_nested_outputs()
        self.also = also or {}
        for id_, paths in self.also.items():
            for path in paths if id_ in self.recipes else ():
                self.producer.setdefault(path, id_)
        # Recipes of one rule share their tuple of candidates: who makes those is asked once.
        self._shared_makers: dict[int, tuple[str, ...]] = {}
        self.dependencies: dict[str, tuple[str, ...]] = {
            recipe.id: self._makers(recipe) for recipe in self.recipes.values()
        }
        self.depth = self._depths()

    def _makers(self, recipe: Recipe) -> tuple[str, ...]:
        own = dict.fromkeys(self.producer[path] for path in recipe.inputs if path in self.producer)
        for paths in (recipe.candidates, recipe.after):
            if paths:
                own.update(dict.fromkeys(self._makers_of(paths)))
        return tuple(own)

    def _makers_of(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        shared = self._shared_makers.get(id(paths))
        if shared is None:
            shared = tuple(dict.fromkeys(self.producer[path] for path in paths if path in self.producer))
            self._shared_makers[id(paths)] = shared
        return shared

    def _refuse_nested_outputs(self) -> None:
        for path, maker in self.producer.items():
            if self.recipes[maker].loose:
                # It may be that one of the two is never made; the file system will tell.
                continue
            parent = path
            while "/" in parent:
                parent = parent.rpartition("/")[0]
                if parent in self.producer:
                    other = self.recipes[self.producer[parent]]
                    raise GraphError(
                        f"output {parent} would have to be a file and a directory",
                        at=self.recipes[maker].at,
                        why=f"rule '{other.rule}' ({other.at}) makes {parent}, this one makes {path}",
                        fix="rename one of the outputs",
                    )

    def made_by(self, id_: str) -> tuple[str, ...]:
        """Every path that a recipe is known to make."""
        outputs, also = self.recipes[id_].outputs, self.also.get(id_)
        return (*outputs, *also) if also else outputs

    def wanted(self) -> Set[str]:
        """The ids that are wanted when nothing is asked for, with all they need."""
        default = self.names.default
        return self.recipes.keys() if default is None else self.closure(default)

    def dependants(self) -> Mapping[str, list[str]]:
        """Recipe id to the ids that read its outputs."""
        users: dict[str, list[str]] = {id_: [] for id_ in self.recipes}
        for id_, needs in self.dependencies.items():
            for need in needs:
                users[need].append(id_)
        return users

    def closure(self, ids: Iterable[str]) -> set[str]:
        """The ids given, everything they need, and what validates any of these."""
        seen: set[str] = set()
        stack = list(ids)
        validations = self.names.validations
        while stack:
            id_ = stack.pop()
            if id_ not in seen:
                seen.add(id_)
                stack.extend(self.dependencies[id_])
                stack.extend(validations.get(id_, ()))
        return seen

    def _depths(self) -> dict[str, int]:
        """Longest path from a source, by Kahn's algorithm; GraphError with the chain for a cycle."""
        waiting = {id_: len(needs) for id_, needs in self.dependencies.items()}
        users = self.dependants()
        depth = dict.fromkeys((id_ for id_, count in waiting.items() if count == 0), 0)
        ready = list(depth)
        for id_ in ready:
            for user in users[id_]:
                depth[user] = max(depth.get(user, 0), depth[id_] + 1)
                waiting[user] -= 1
                if waiting[user] == 0:
                    ready.append(user)
        if len(ready) != len(self.recipes):
            raise self._cycle({id_ for id_, count in waiting.items() if count > 0})
        return depth

    def _cycle(self, stuck: set[str]) -> GraphError:
        # Every stuck recipe needs a stuck one, so walking back must come round.
        trail: list[str] = []
        id_ = min(stuck)
        while id_ not in trail:
            trail.append(id_)
            id_ = next(need for need in self.dependencies[id_] if need in stuck)
        loop = [*trail[trail.index(id_) :], id_]
        return DependencyCycle(
            "the rules form a cycle",
            at=self.recipes[id_].at,
            why=" needs ".join(self.recipes[step].outputs[0] for step in loop),
            fix="take one of these inputs out of its rule",
        )
