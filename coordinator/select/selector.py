"""Change set and test map to tests, each with the reason it runs or is skipped. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from coordinator.select.ties import tie
from shared.model.changes import ChangeSet
from shared.model.tests import MappedTest, TestMap


class Choice(msgspec.Struct, frozen=True):
    """A test file, and why it runs or does not. chain: how it reaches the file that `reason` names, if by imports."""

    test: str
    reason: str
    chain: tuple[str, ...] = ()


class Selection(msgspec.Struct, frozen=True):
    """Every test file of a project: those to run and those to skip, both sorted."""

    selected: tuple[Choice, ...] = ()
    skipped: tuple[Choice, ...] = ()


def select(
    changes: ChangeSet,
    after: TestMap,
    before: Mapping[str, Collection[str]] | None = None,
    *,
    docs: Collection[str] = (),
    run_all: bool = False,
) -> Selection:
    """The tests that a change can affect.

    before: test file to what it depended on before the change; without it every test is new, and runs. docs: those
    of the changed files that are documentation. run_all: skip none.
    """
    changed = {**dict.fromkeys(changes.added, "is new"), **dict.fromkeys(changes.modified, "changed")}
    changed |= dict.fromkeys(changes.deleted, "is gone")
    selected: list[Choice] = []
    skipped: list[Choice] = []
    for test, mapped in sorted(after.tests.items()):
        known = before.get(test) if before is not None else None
        found = _first(test, mapped, known or (), changed)
        if run_all and found is None:
            selected.append(Choice(test, "every test was asked for"))
        elif known is None and found is None:
            selected.append(Choice(test, "it has not been run before"))
        elif found is not None:
            selected.append(because(test, mapped, after, found, changed[found]))
        else:
            skipped.append(Choice(test, why_skipped(mapped, changed, docs)))
    return Selection(tuple(selected), tuple(skipped))


def because(test: str, mapped: MappedTest, whole: TestMap, path: str, what: str) -> Choice:
    """The choice of a test for a changed file it depends on; what: `changed`, `is new`, `is gone` and so on."""
    found = tie(test, mapped, whole, path)
    return Choice(test, f"{path} {what}" + (f", and {found.text}" if found.text else ""), found.chain)


def why_skipped(mapped: MappedTest, changed: Collection[str], docs: Collection[str]) -> str:
    """Why a test is not affected by the files that changed."""
    if not changed:
        return "nothing changed"
    if set(changed) <= set(docs):
        return "only documentation changed"
    return f"none of the {len(mapped.files)} files it depends on changed"


def _first(test: str, mapped: MappedTest, known: Iterable[str], changed: Mapping[str, str]) -> str | None:
    """The changed file to name: the test itself, else what it imports, else what it may read."""
    if test in changed:
        return test
    hit = [path for path in {*mapped.files, *known} if path in changed]
    return min(hit, key=lambda path: (path not in mapped.via, path)) if hit else None
