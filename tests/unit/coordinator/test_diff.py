"""The diff: laws first, then what counts as content."""

from hypothesis import given
from hypothesis import strategies as st

from coordinator.diff import diff, reclaim, sift
from shared.model.file import FileState
from shared.model.manifest import Artefact, Manifest
from shared.model.snapshot import Snapshot

HASHES = st.sampled_from(["sha256:" + c * 64 for c in "0123"])
STATES = st.builds(
    FileState, HASHES, st.just(1), st.sampled_from(["file", "exec", "link"]), st.sampled_from(["source", "tests"])
)
TREES = st.dictionaries(st.sampled_from([f"{d}{n}" for d in ("", "a/", "b/") for n in "wxyz"]), STATES)


def committed(sources, outputs=None):
    made = {path: Artefact(state.hash, state.size, "j", state.mode) for path, state in (outputs or {}).items()}
    return Manifest("p", "main", 1, sources, {}, made)


@given(TREES, TREES)
def test_applying_what_changed_gives_the_tree(before, after):
    changes = diff(committed(before), Snapshot(after, {}))

    now = {path: state for path, state in before.items() if path not in changes.deleted}
    now.update({path: after[path] for path in (*changes.added, *changes.modified)})

    assert {path: (s.hash, s.mode) for path, s in now.items()} == {path: (s.hash, s.mode) for path, s in after.items()}
    for group in (changes.added, changes.modified, changes.deleted):
        assert list(group) == sorted(group)
    assert len({*changes.added, *changes.modified, *changes.deleted}) == len(
        changes.added + changes.modified + changes.deleted
    )


@given(TREES, TREES)
def test_nothing_changed_is_nothing(sources, outputs):
    assert not diff(committed(sources, outputs), Snapshot(sources, outputs))


@given(TREES, TREES, TREES)
def test_outputs_are_missing_or_altered_or_as_they_were(sources, made, seen):
    changes = diff(committed(sources, made), Snapshot(sources, seen))

    assert set(changes.missing) == made.keys() - seen.keys()
    assert set(changes.altered) == {
        path for path in made.keys() & seen.keys() if not made[path].same_content(seen[path])
    }
    assert not changes.sources


@given(TREES)
def test_without_a_manifest_everything_is_added(tree):
    assert diff(None, Snapshot(tree, {})).added == tuple(sorted(tree))


def test_a_touched_file_is_told_of_and_is_no_change():
    state = FileState("sha256:" + "0" * 64, 1)

    changes = diff(
        committed({"a": state, "b": state}),
        Snapshot({"a": state, "b": FileState("sha256:" + "1" * 64, 1)}, {}, touched=("a", "b", "c")),
    )

    assert changes.touched == ("a",)
    assert changes.modified == ("b",)


def test_an_output_that_somebody_wrote_over_may_be_a_source_now():
    old, new = FileState("sha256:" + "0" * 64, 1), FileState("sha256:" + "1" * 64, 1)
    manifest = committed({}, {"gen.h": old, "kept.h": old, "same.h": old})

    offered = reclaim(manifest, Snapshot({}, {"gen.h": new, "kept.h": new, "same.h": old}), {})
    sifted = sift(offered, {"kept.h"})

    assert set(offered.sources) == {"gen.h", "kept.h"}
    assert (set(sifted.sources), set(sifted.outputs)) == ({"gen.h"}, {"kept.h", "same.h"})


def test_what_a_new_rule_makes_is_an_output_though_it_lay_there_before():
    state = FileState("sha256:" + "0" * 64, 1)

    sifted = sift(Snapshot({"a": state, "o": state}, {}), {"o"})

    assert (set(sifted.sources), set(sifted.outputs)) == ({"a"}, {"o"})
