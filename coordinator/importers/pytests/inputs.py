"""What the result of each test file depends on: settings, tree and imports to a TestMap. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Mapping

from coordinator.imports.closure import Closure, Imports
from coordinator.imports.contents import Contents
from coordinator.imports.modules import ModuleIndex
from shared.globs import PathIndex, compiled
from shared.model.file import FileState
from shared.model.tests import MappedTest, TestMap
from shared.settings import TestSettings
from shared.settings_keys import LOCAL_FILE, PROJECT_FILE

_DEFAULT_ROOTS = ("src", "lib")
_OWN = (PROJECT_FILE, LOCAL_FILE)  # what they say of a test is in its command
_SIEVE = ".gitignore"  # what it says shows in which files there are


class TreeTests:
    """The tests of a tree. made: paths that rules make. contents: what a Python file of the tree asks for.

    recorded: test file to what it executed when coverage was recorded.
    """

    def __init__(
        self,
        settings: TestSettings,
        sources: Mapping[str, FileState],
        contents: Callable[[str], Contents],
        made: Iterable[str] = (),
        recorded: Mapping[str, Collection[str]] = {},
    ) -> None:
        self.settings, self._sources, self._recorded = settings, sources, recorded
        results = f"{settings.results}/"
        paths = [path for path in (*sources, *made) if not path.startswith(results) and path != settings.coverage]
        self._paths = PathIndex(paths)
        unrelated = self._glob(settings.unrelated)
        self.tests = tuple(sorted(self._glob(settings.paths) - unrelated))
        self.conftests = frozenset(path for path in paths if posixpath.basename(path) == "conftest.py")
        self.roots = settings.roots or (*(name for name in _DEFAULT_ROOTS if self._paths.under(name)), "")
        bare = ModuleIndex(paths, self.roots)
        self.index = ModuleIndex(paths, (*self.roots, *sorted({bare.base_of(path) for path in self.tests})))
        reads = self._reads()
        made_here = frozenset(made)
        # Of a file that is yet to be made nobody knows what it will import.
        unknown = Contents(dynamic=(1,))
        self.imports = Imports(self.index, lambda path: unknown if path in made_here else contents(path), reads)
        self.config = self._config()
        claimed = {path for targets in reads.values() for path in targets}
        self.support = frozenset(self._support(unrelated.union(claimed)))

    def map(self) -> TestMap:
        """Every test file with all that its result depends on."""
        critical = self._glob(self.settings.critical)
        everything: frozenset[str] | None = None
        mapped: dict[str, MappedTest] = {}
        for test in self.tests:
            reached, recorded = self.reached(test)
            files = {*reached.via, *self.config, *self.support}
            if reached.unknown or test in critical:
                everything = everything or self._everything()
                files |= everything
            mapped[test] = MappedTest(
                files=tuple(sorted(files)),
                via=reached.via,
                critical=test in critical,
                unknown=tuple(sorted(reached.unknown.items())),
                recorded=recorded,
            )
        return TestMap(mapped, config=self.config, support=self.support)

    def reached(self, test: str) -> tuple[Closure, frozenset[str]]:
        """What a test file takes in, with the conftest.py files above it; and which files only a recording told."""
        found = self.imports.closure(test, *self._conftests(test))
        ran = (path for path in sorted(self._recorded.get(test, ())) if self.index.is_file(path))
        return found, self.imports.extend(found, test, ran)

    def all_code(self) -> frozenset[str]:
        """Every Python file, those of tests too."""
        return frozenset(path for path in self.index.files if path in self._sources or path in self._paths)

    def _conftests(self, test: str) -> list[str]:
        folder = posixpath.dirname(test)
        found = []
        while True:
            path = posixpath.join(folder, "conftest.py")
            if path in self.conftests:
                found.append(path)
            if not folder:
                return found
            folder = posixpath.dirname(folder)

    def _glob(self, patterns: Iterable[str]) -> frozenset[str]:
        return frozenset(path for pattern in patterns for path in self._paths.glob(pattern))

    def _reads(self) -> dict[str, tuple[str, ...]]:
        reads: dict[str, set[str]] = {}
        for readers, files in self.settings.reads.items():
            given = self._glob(files)
            for reader in self._paths.glob(readers):
                reads.setdefault(reader, set()).update(given)
        return {reader: tuple(sorted(given)) for reader, given in reads.items()}

    def _config(self) -> frozenset[str]:
        if self.settings.config:
            return self._glob(self.settings.config)
        return frozenset(
            path
            for path, state in self._sources.items()
            if state.category == "config" and path in self._paths and not _shows_elsewhere(path)
        )

    def _support(self, elsewhere: frozenset[str]) -> Iterable[str]:
        """Files of which nobody says who reads them: any test may."""
        chosen = tuple(map(compiled, self.settings.paths))
        for path, state in self._sources.items():
            if path not in self._paths or path in elsewhere or _shows_elsewhere(path):
                continue
            if path in self.index.files or state.category in ("docs", "config"):
                continue
            if not any(glob.matches(path) for glob in chosen):
                yield path

    def _everything(self) -> frozenset[str]:
        """All code but that of other tests."""
        return self.all_code().difference(self.tests)


def _shows_elsewhere(path: str) -> bool:
    """Whether what a file says of tests shows in something else that they depend on."""
    return path in _OWN or posixpath.basename(path) == _SIEVE
