"""Shards: test files gathered into jobs of about equal length, and kept together from build to build. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

_UNKNOWN_SECONDS = 1.0  # for a test file that has never run


class Shard(msgspec.Struct, frozen=True):
    """A job's test files, sorted; its name tells its output and id."""

    name: str
    tests: tuple[str, ...]


def each(tests: Iterable[str]) -> tuple[Shard, ...]:
    """A job for each test file."""
    return tuple(Shard(test, (test,)) for test in tests)


def shards(
    tests: Iterable[str], count: int, seconds: Mapping[str, float], before: Mapping[str, tuple[str, ...]]
) -> tuple[Shard, ...]:
    """So many jobs. A file stays in the shard it was in before: moving it would make two shards run for nothing.

    New files go, longest first, to the shard that is shortest. before: shard name to its files.
    """
    names = [f"shard-{number:02d}" for number in range(count)]
    there = frozenset(tests)
    held = {name: [test for test in before.get(name, ()) if test in there] for name in names}
    placed = {test for held_tests in held.values() for test in held_tests}
    length = {name: sum(seconds.get(test, _UNKNOWN_SECONDS) for test in held[name]) for name in names}
    for test in sorted(there - placed, key=lambda test: (-seconds.get(test, _UNKNOWN_SECONDS), test)):
        name = min(names, key=lambda name: (length[name], name))
        held[name].append(test)
        length[name] += seconds.get(test, _UNKNOWN_SECONDS)
    return tuple(Shard(name, tuple(sorted(held[name]))) for name in names if held[name])
