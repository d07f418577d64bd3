"""TestMap: the test files of a tree, and what the result of each depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import msgspec

TEST_RULE = "test"  # what the jobs of [tests] count as
COVERAGE_RULE = "test-coverage"  # what those count as that record what tests execute


class MappedTest(msgspec.Struct, frozen=True):
    """A test file. files: all that its result depends on, sorted, itself included.

    via: the files it reaches by imports, each with the one that first asked for it ("" for where it began). critical:
    it depends on all code. unknown: files it reaches whose imports only a run can tell, with the line; then it depends
    on all code too. recorded: files among `via` that no import leads to: it executed them when coverage was recorded.
    """

    files: tuple[str, ...]
    via: Mapping[str, str] = {}
    critical: bool = False
    unknown: tuple[tuple[str, int], ...] = ()
    recorded: frozenset[str] = frozenset()

    def chain(self, path: str) -> tuple[str, ...]:
        """The way to a file it reaches: where it began, what that asked for, and so on to the file; () for others."""
        if path not in self.via:
            return ()
        steps = [path]
        while came := self.via[steps[-1]]:
            steps.append(came)
        return tuple(steps[::-1])


class TestMap(msgspec.Struct, frozen=True):
    """Test file to what it depends on. config, support: files that every test is given, because any may read them.

    jobs: test file to the id of the job that runs it.
    """

    __test__: ClassVar[bool] = False  # its name has pytest think otherwise

    tests: Mapping[str, MappedTest]
    config: frozenset[str] = frozenset()
    support: frozenset[str] = frozenset()
    jobs: Mapping[str, str] = {}

    def files_for(self, test: str) -> tuple[str, ...]:
        """All that a test file depends on; KeyError for one that is none."""
        return self.tests[test].files

    def tests_for(self, path: str) -> Iterator[str]:
        """The test files whose result depends on a file."""
        return (test for test, mapped in self.tests.items() if path in mapped.files)
