"""Keys: what changes them, what does not, and that a key before a run is the key after it."""

from __future__ import annotations

import msgspec
import pytest

from shared import keys
from shared.model.action import ROOT, Action, Input, Trace

PLAIN = keys.Body("command", ("cc",), (), ("out",), None, "linux")
SOURCE = Input("a.c", "sha256:a", 1)


def action(**more: object) -> Action:
    inputs = (SOURCE, Input("b.h", "sha256:b", 1), Input("data/c", "sha256:c", 1))
    told = Action("command", ("cc", f"{ROOT}/x"), (), ("out",), None, "linux", inputs, ("a.c",))
    return msgspec.structs.replace(told, **more)


def test_a_job_without_the_newer_fields_has_the_key_it_always_had() -> None:
    """Or else every store would be cold."""
    key = keys.plain_key(PLAIN, [SOURCE])

    assert key == keys.plain_key(keys.Body("command", ("cc",), (), ("out",), None, "linux", "", (), ()), [SOURCE])
    assert key == PLAIN.key("windrow-action/1", [("a.c", "sha256:a", "file")])


@pytest.mark.parametrize(
    "more",
    [
        {"cwd": "build"},
        {"files": (("out.rsp", "x"),)},
        {"outside": (("/usr/lib/z.a", "sha256:1"),)},
        {"argv": ("cc",)},
        {"tools": "other"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_a_command_is_given_is_in_its_key(more: dict[str, object]) -> None:
    assert keys.key_after_run(action(loose=True, **more), None) != keys.key_after_run(action(loose=True), None)


@pytest.mark.parametrize(
    "more", [{"mounts": ("src",)}, {"observed": True}, {"platform": "x", "tools": "linux"}], ids=str
)
def test_where_and_how_it_runs_is_not(more: dict[str, object]) -> None:
    assert keys.key_after_run(action(loose=True, **more), None) == keys.key_after_run(
        action(loose=True, tools="linux"), None
    )


def test_the_content_of_a_file_outside_counts() -> None:
    one, two = (action(loose=True, outside=(("/z", f"sha256:{number}"),)) for number in (1, 2))

    assert keys.key_after_run(one, None) != keys.key_after_run(two, None)


def test_a_loose_job_of_which_nothing_was_seen_rests_on_its_own_inputs() -> None:
    loose = action(loose=True)

    assert keys.key_after_run(loose, None) == keys.plain_key(keys.body_of(loose), [SOURCE])


def test_with_a_depfile_it_does_too() -> None:
    loose = action(loose=True, depfile="out.d")

    assert keys.key_after_run(loose, None) == keys.plain_key(keys.body_of(loose), [SOURCE])


def test_a_trace_that_listed_nothing_has_the_key_of_before() -> None:
    trace = Trace(used=("b.h",), probes=("b.h",))
    given = {one.path: one for one in action().inputs}

    key = keys.traced_key(PLAIN, [SOURCE], trace, given.get, given)

    assert key == PLAIN.key("windrow-action/1", [("a.c", "sha256:a", "file"), ("b.h", "sha256:b", "file")], ["b.h"])


def test_what_lies_in_a_listed_folder_counts_by_name() -> None:
    trace = Trace(listed=("data",))
    given = {one.path: one for one in action().inputs}

    def key(*paths: str) -> str | None:
        return keys.traced_key(PLAIN, [SOURCE], trace, given.get, paths)

    assert key("data/c") != key("data/c", "data/new")
    assert key("data/c") == key("data/c", "data/deep/new", "other/c")
    assert key() != keys.traced_key(PLAIN, [SOURCE], Trace(), given.get, ())


def test_a_file_of_the_trace_that_is_gone_leaves_no_key() -> None:
    assert keys.traced_key(PLAIN, [SOURCE], Trace(used=("gone",)), {"a.c": SOURCE}.get, ()) is None


def test_what_was_given_in_case_and_not_read_does_not_count() -> None:
    trace = Trace(used=("data/c",), probes=("b.h", "c"))

    lean = action(loose=True, observed=True, inputs=(SOURCE, Input("data/c", "sha256:c", 1)))
    rich = action(loose=True, observed=True, extra=("b.h",))

    assert keys.key_after_run(lean, trace) == keys.key_after_run(rich, trace)


def test_a_rooted_key_is_another_one_for_each_root() -> None:
    key = keys.plain_key(PLAIN, [SOURCE])

    assert len({key, keys.rooted(key, "/one"), keys.rooted(key, "/two"), keys.rooted(key + "x", "/one")}) == 4


def test_a_trace_names_only_what_was_given() -> None:
    with pytest.raises(ValueError, match="was not given"):
        keys.key_after_run(action(loose=True), Trace(used=("never/given",)))
