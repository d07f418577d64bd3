"""PythonCode: the Python files of a project, what they import, and its tests: for rules and for test jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

import msgspec

from coordinator.importers.pytests import recipes as making
from coordinator.importers.pytests import shards as sharding
from coordinator.importers.pytests.inputs import TreeTests
from coordinator.importers.pytests.recorded import Recorded, parse
from coordinator.importers.taken import taken
from coordinator.imports.cache import ImportCache
from coordinator.imports.contents import Contents, read
from coordinator.python.interpreter import Interpreter, interpreter
from shared import hashing
from shared.errors import GraphError, ToolMissing, named
from shared.model.graph import Recipe
from shared.model.manifest import JobEntry
from shared.model.snapshot import Snapshot
from shared.model.tests import TEST_RULE, TestMap
from shared.settings import Settings, TestSettings

_FEW = 3


class Tested(NamedTuple):
    """The recipes of the tests, the map they were made by with the jobs in it, and what is odd."""

    recipes: list[Recipe]
    mapped: TestMap
    warnings: tuple[str, ...]


class PythonCode:
    """Of one project. given: bytes by digest for files that are not in the working copy as they were looked at."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], given: Mapping[str, bytes] | None = None
    ) -> None:
        self._settings, self._environ = settings, environ
        self.tests = settings.tests
        self._asked = settings.tests or TestSettings(paths=())
        self._given = given or {}
        self._cache = ImportCache(settings.state_dir / "imports.msgpack")

    @cached_property
    def interpreter(self) -> Interpreter:
        """The interpreter that runs the tests; ToolMissing when it has no pytest."""
        path = self._environ.get("PATH", "")
        found = interpreter(self._asked.python, path=path, cache=self._settings.cache_dir)
        if not found.pytest:
            raise ToolMissing(
                f"{self._asked.python} has no pytest",
                at=self._asked.at,
                why="[tests] runs the tests with it",
                fix=f"{self._asked.python} -m pip install pytest, or set [tests] python",
            )
        return found

    def digest(self) -> str:
        """Of everything the test jobs are made from besides the tree."""
        if self.tests is None:
            return ""
        settings = {name: getattr(self.tests, name) for name in self.tests.__struct_fields__ if name != "at"}
        return hashing.of_value([settings, making.program(), self.interpreter.digest, self._passed()])

    def recorded(self, snapshot: Snapshot) -> Recorded:
        """What was recorded of the tests' execution; ConfigError for a file that is no recording, LocalError."""
        state = snapshot.sources.get(self._asked.coverage)
        if state is None:
            return Recorded()
        path = self._settings.root / self._asked.coverage
        if (data := self._given.get(state.hash)) is None:
            try:
                data = path.read_bytes()
            except OSError as error:
                raise named(error, path, "reading") from error
        return parse(data, self._asked.coverage)

    def tree(self, snapshot: Snapshot, made: Iterable[str] = ()) -> TreeTests:
        """The tests of a tree that was looked at, and what its Python files import."""
        hashes = snapshot.sources

        def contents(path: str) -> Contents:
            state = hashes.get(path)
            if state is None:
                return Contents(dynamic=(1,))  # made, or a stranger: nobody has looked inside
            if (data := self._given.get(state.hash)) is not None:
                return read(data)
            return self._cache.get(state.hash, self._settings.root / path)

        return TreeTests(self._asked, snapshot.sources, contents, made, self.recorded(snapshot).tests)

    def reaches(self, snapshot: Snapshot) -> Callable[[str], frozenset[str]]:
        """What a rule with `imports = "python"` adds for a file: all it reaches, or all code where nobody knows."""
        tree = self.tree(snapshot)
        everything: list[frozenset[str]] = []

        def reached(path: str) -> frozenset[str]:
            closure = tree.imports.closure(path)
            if not closure.unknown:
                return frozenset(closure.via)
            if not everything:
                everything.append(frozenset(tree.index.files))
            return everything[0].union(closure.via)

        return reached

    def jobs(self, snapshot: Snapshot, made: Iterable[str], before: Mapping[str, JobEntry], identity: str) -> Tested:
        """A job for each test file, or for each shard. before: the jobs of the base. identity: what python is."""
        settings = self.tests
        assert settings is not None
        if any(rule.name == TEST_RULE for rule in self._settings.rules):
            raise GraphError(
                "a rule is named 'test', as the jobs of [tests] are", at=settings.at, fix="give the rule another name"
            )
        tree = self.tree(snapshot, made)
        mapped = tree.map()
        shards = self._shards(tree.tests, before)
        recipes = self._recipes(tree, mapped, shards, identity)
        jobs = {test: f"{TEST_RULE}:{shard.name}" for shard in shards for test in shard.tests}
        mapped = msgspec.structs.replace(mapped, jobs=jobs)
        return Tested(recipes, mapped, tuple(_warnings(mapped, settings)))

    def recordings(self, snapshot: Snapshot, made: Iterable[str], identity: str) -> list[Recipe]:
        """The jobs that record what each test file executes; ToolMissing where the interpreter has no coverage.py."""
        settings = self.tests
        assert settings is not None
        if not self.interpreter.coverage:
            raise ToolMissing(
                f"{settings.python} has no coverage",
                at=settings.at,
                why="it is what records which files a test executes",
                fix=f"{settings.python} -m pip install 'coverage>=7.10'",
            )
        tree = self.tree(snapshot, made)
        each = self._recipes(tree, tree.map(), sharding.each(tree.tests), identity)
        return making.recordings(each, tree.all_code())

    def _recipes(
        self, tree: TreeTests, mapped: TestMap, shards: tuple[sharding.Shard, ...], identity: str
    ) -> list[Recipe]:
        return making.recipes(
            self._asked,
            mapped,
            shards,
            roots=tree.roots,
            passed=self._passed(),
            tools=hashing.of_value([identity, self.interpreter.digest]),
            environment=self.interpreter.digest,
        )

    def save(self) -> str:
        """Keep what was read of imports; a warning if that cannot be done."""
        return self._cache.save()

    def _passed(self) -> dict[str, str | None]:
        return taken(self._asked.pass_env, self._environ, at=self._asked.at, whose="[tests]")

    def _shards(self, tests: tuple[str, ...], before: Mapping[str, JobEntry]) -> tuple[sharding.Shard, ...]:
        if not self._asked.shards:
            return sharding.each(tests)
        held: dict[str, tuple[str, ...]] = {}
        seconds: dict[str, float] = {}
        for id_, entry in before.items():
            if entry.rule == TEST_RULE:
                name = id_.partition(":")[2]
                held[name] = making.tests_of(entry.argv)
                seconds.update({test: entry.seconds / len(held[name]) for test in held[name]})
        return sharding.shards(tests, self._asked.shards, seconds, held)


def _warnings(mapped: TestMap, settings: TestSettings) -> Iterable[str]:
    if not mapped.tests:
        yield f"{settings.at}: [tests] finds no test file: nothing matches {', '.join(settings.paths)}"
    by_file: dict[tuple[str, int], int] = {}
    for one in mapped.tests.values():
        for place in one.unknown:
            by_file[place] = by_file.get(place, 0) + 1
    for (path, line), count in sorted(by_file.items())[:_FEW]:
        yield (
            f"{path}:{line} imports or looks for files by names that only a run can tell; "
            f"{count} of {len(mapped.tests)} test files depend on all code for that ([tests] reads can say on which)"
        )
    if len(by_file) > _FEW:
        yield f"and {len(by_file) - _FEW} more files import by names that only a run can tell"
