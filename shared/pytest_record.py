"""The record that a test job prints last: how each of its tests came out. Format: docs/design/tests.md."""

from __future__ import annotations

from typing import ClassVar

import msgspec

MARK = "windrow.test/1 "


class TestRecord(msgspec.Struct, frozen=True):
    """What came of a job's tests: counts, outcome by node id, seconds by node id, texts of those that failed.

    success: no test failed, and nothing else was wrong. test_command: what a person would type.
    """

    __test__: ClassVar[bool] = False  # its name has pytest think otherwise

    success: bool
    passed: int
    total: int
    test_command: str
    failed: int = 0
    skipped: int = 0
    tests: dict[str, str] = {}
    seconds: dict[str, float] = {}
    texts: dict[str, str] = {}
    schema: str = "windrow.test/1"


def split(text: str) -> tuple[str, str]:
    """What a job printed without the record in it, and the record's JSON; empty if it printed none."""
    if MARK not in text:
        return text, ""
    kept: list[str] = []
    found = ""
    for line in text.split("\n"):
        if line.startswith(MARK):
            found = line.removeprefix(MARK)
        else:
            kept.append(line)
    return "\n".join(kept).strip("\n"), found


def parse(text: str | bytes) -> TestRecord | None:
    """A record, or None where the text is none."""
    try:
        return msgspec.json.decode(text, type=TestRecord)
    except msgspec.MsgspecError:
        return None
