"""Ties: why the result of a test file depends on another file, and which tests depend on a file. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import Literal

import msgspec

from shared.errors import UnknownTarget
from shared.model.tests import MappedTest, TestMap

How = Literal["itself", "imports", "recorded", "configuration", "support", "critical", "unknown", "job"]


class Tie(msgspec.Struct, frozen=True):
    """That a test file depends on a file, and by what. chain: the way by imports, from the test to the file.

    how is `job` where no file is the reason: it is run in another way, as `text` says.
    """

    test: str
    path: str
    how: How
    text: str
    chain: tuple[str, ...] = ()


def tie(test: str, mapped: MappedTest, whole: TestMap, path: str) -> Tie:
    """Why a test depends on one of its files."""
    if path == test:
        return Tie(test, path, "itself", "")
    if path in whole.config:
        return Tie(test, path, "configuration", "it is configuration")
    if path in whole.support:
        return Tie(test, path, "support", "nothing says which tests read it")
    if path in mapped.recorded:
        return Tie(test, path, "recorded", "it ran when coverage was recorded")
    if path in mapped.via:
        chain = mapped.chain(path)
        return Tie(test, path, "imports", "", chain if len(chain) > 1 else ())
    if mapped.critical:
        return Tie(test, path, "critical", "it is critical")
    if mapped.unknown:
        where, line = mapped.unknown[0]
        return Tie(test, path, "unknown", f"{where}:{line} may import anything")
    return Tie(test, path, "imports", "")


def ties(whole: TestMap, name: str) -> tuple[str, tuple[Tie, ...]]:
    """The file that a name means, with all ties of a test file, else with all ties to the file.

    name: a path, or its end, or its stem, if only one file has it; UnknownTarget otherwise.
    """
    path = meant(whole, name)
    if path in whole.tests:
        mapped = whole.tests[path]
        return path, tuple(tie(path, mapped, whole, file) for file in mapped.files)
    return path, tuple(tie(test, whole.tests[test], whole, path) for test in sorted(whole.tests_for(path)))


def meant(whole: TestMap, name: str, also: Iterable[str] = ()) -> str:
    """The file that a name means, of those that tests depend on and of `also`; UnknownTarget if not just one."""
    name = name.removeprefix("./")
    files = {*also, *whole.tests, *(path for mapped in whole.tests.values() for path in mapped.files)}
    if name in files:
        return name
    found = sorted(
        path for path in files if path.endswith(f"/{name}") or posixpath.splitext(posixpath.basename(path))[0] == name
    )
    if len(found) == 1:
        return found[0]
    raise UnknownTarget(
        f"{len(found)} files are called '{name}'" if found else f"no test depends on a file '{name}'",
        why=", ".join(found[:5]) if found else "it is none of theirs, or it is not there",
        fix="give the whole path" if found else "windrow test --dry-run lists the tests",
    )
