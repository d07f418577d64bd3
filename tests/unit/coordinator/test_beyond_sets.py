"""Sets of files outside the tree: kept once in a manifest, and told for each job that reads a changed one."""

from __future__ import annotations

import msgspec

from coordinator.commit.fold import fold
from coordinator.diff import diff
from coordinator.keying.beyond import BeyondSets, BeyondTable
from coordinator.plan.dirty import Facts, mark
from shared import hashing
from shared.model import stored_manifest
from shared.model.action import ActionResult, Output, Trace
from shared.model.changes import ChangeSet
from shared.model.file import FileState
from shared.model.graph import BuildGraph, Recipe
from shared.model.manifest import Manifest
from shared.model.plan import InputChanged, InputRemoved, Plan
from shared.model.snapshot import Snapshot

HELD = {"/usr/a.h": "sha256:a", "/usr/b.h": "sha256:b", "/usr/c.h": "sha256:c"}
READ = {"x": ("/usr/a.h", "/usr/b.h"), "y": ("/usr/b.h", "/usr/c.h"), "z": ("/usr/a.h", "/usr/b.h"), "none": ()}


def recipe(name: str, **more: object) -> Recipe:
    return Recipe(id=f"cc:{name}", rule="cc", argv=("cc",), outputs=(name,), depfile=f"{name}.d", **more)


def graph(*names: str) -> BuildGraph:
    return BuildGraph([recipe(name) for name in names])


def result(name: str) -> ActionResult:
    return ActionResult(
        hashing.of_bytes(b""), (Output(name, hashing.of_bytes(b""), 0),), trace=Trace(beyond=READ[name])
    )


def folded(base: Manifest | None = None, *names: str, made: tuple[str, ...] | None = None) -> Manifest:
    names = names or tuple(READ)
    results = {f"cc:{name}": result(name) for name in (names if made is None else made)}
    plan = Plan(0, "", (), {}, {}, ChangeSet())
    draft = fold(
        base, graph=graph(*names), snapshot=Snapshot({}, {}), results=results, plan=plan, beyond=HELD.__getitem__
    )
    return msgspec.structs.replace(draft, revision=1)


def test_equal_sets_are_kept_once_and_come_back_whole() -> None:
    manifest = stored_manifest.decode(stored_manifest.encode(folded()))
    sets = BeyondSets(manifest)

    assert manifest.beyond == HELD
    assert len(manifest.beyond_sets) == 2
    for name, paths in READ.items():
        entry = manifest.jobs[f"cc:{name}"]
        assert sets.paths(entry.beyond) == paths
        assert entry.trace is not None and entry.trace.beyond == ()
        trace = sets.trace(entry)
        assert trace is not None and trace.beyond == paths
    assert sets.trace(None) is None


def test_the_next_revision_keeps_only_what_its_jobs_read() -> None:
    later = folded(folded(), "y", "none", made=())

    assert later.beyond == {path: HELD[path] for path in READ["y"]}
    assert BeyondSets(later).paths(later.jobs["cc:y"].beyond) == READ["y"]


def test_a_job_is_called_the_same_whatever_others_read() -> None:
    assert folded(None, "y").jobs["cc:y"] == folded(None, "x", "y").jobs["cc:y"]


def test_a_manifest_of_before_has_none() -> None:
    old = msgspec.to_builtins(folded(None, "none"))
    del old["beyond"], old["beyond_sets"]
    manifest = msgspec.convert(old, Manifest)

    assert BeyondSets(manifest).trace(manifest.jobs["cc:none"]) == Trace()


def test_a_set_that_is_damaged_names_no_paths() -> None:
    manifest = msgspec.structs.replace(folded(None, "x"), beyond_sets={"n": (0, 9, -1)})

    assert BeyondSets(manifest).paths("n") == ("/usr/a.h",)
    assert BeyondSets(manifest).paths("unknown") == ()


def test_what_changed_marks_those_that_read_it() -> None:
    manifest = folded()
    seen = Snapshot({}, {name: FileState(hashing.of_bytes(b""), 0) for name in READ})
    now = {"/usr/a.h": "sha256:new", "/usr/c.h": ""}

    marked = mark(Facts(graph(*READ), manifest, seen, diff(manifest, seen), beyond=now))

    changed = InputChanged("/usr/a.h", was="sha256:a", now="sha256:new")
    assert marked == {"cc:x": (changed,), "cc:z": (changed,), "cc:y": (InputRemoved("/usr/c.h"),)}


def test_each_file_is_asked_for_once() -> None:
    asked: list[str] = []
    table = BeyondTable(lambda path: asked.append(path) or "d")  # type: ignore[func-returns-value]

    names = [table.name(paths) for paths in (*READ.values(), *READ.values())]

    assert sorted(asked) == sorted(HELD)
    assert names[0] == names[2] == names[4] != names[1] and names[3] == ""
