"""What test files executed when coverage was recorded, as a file of the tree. Format: docs/design/tests.md."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import msgspec

from shared.errors import ConfigError

SCHEMA = "windrow.test-coverage/1"


class Recorded(msgspec.Struct, frozen=True):
    """Test file to the files of the tree that it executed, sorted."""

    tests: dict[str, tuple[str, ...]] = {}
    schema: str = SCHEMA


def parse(data: bytes, path: str) -> Recorded:
    """What the file says; ConfigError for one that was not written by a recording of this format."""
    fix = "windrow test --record-coverage writes it anew once it is removed"
    try:
        found = msgspec.json.decode(data, type=Recorded)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{path} is no recording of coverage", at=path, why=str(error), fix=fix) from error
    if found.schema != SCHEMA:
        raise ConfigError(f"{path} has the schema {found.schema}", at=path, why=f"known is {SCHEMA}", fix=fix)
    return found


def merged(before: Recorded, now: Mapping[str, Collection[str]], tests: Collection[str]) -> Recorded:
    """The recording with what was recorded now; of test files that are no more (not in `tests`) nothing is kept."""
    kept = {test: files for test, files in before.tests.items() if test in tests}
    return Recorded({**kept, **{test: tuple(sorted(files)) for test, files in now.items()}})


def written(recorded: Recorded) -> bytes:
    """Its bytes: sorted, a line for each file, so that a diff shows what changed."""
    tests = {test: list(files) for test, files in sorted(recorded.tests.items())}
    return (json.dumps({"schema": recorded.schema, "tests": tests}, indent=1) + "\n").encode()
