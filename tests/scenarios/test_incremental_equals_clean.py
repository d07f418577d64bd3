"""Invariants 1, 2, 5 and 8 by a state machine: after any edits an incremental build equals a clean one.

The tree is real, and so are scan, stat cache, stores, materialising and commit; only the compiler is the toy
one, so that some thousands of builds fit in the suite. Two independent judges: a clean build of the same tree
with an empty cache, and the outputs worked out by a plain function over the tree.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared import hashing
from tests.fakes.compiler import CompileError, compile_text, evaluate
from tests.fakes.workspace import Workspace

# Split, so that they run side by side.
SEQUENCES, PARTS = 500, 5

HEADERS = ["one/a.h", "one/b.h", "two/a.h", "two/b.h", "two/c.h"]
UNITS = ["src/m.c", "src/n.c", "src/o.c"]
DATA = ["data/x.txt", "data/y.txt"]
WORDS = st.sampled_from(["p", "q", "rr", "ss", "\t", ""])

RULES = """\
[project]
name = "{name}"

[[rule]]
name = "cc"
each = "src/*.c"
inputs = ["one/*.h", "two/*.h"]
command = ["toy-cc", "{flag}", "-Ione", "-Itwo", "{{in}}"]
outputs = ["out/{{stem}}.o"]
depfile = "out/{{stem}}.d"

[[rule]]
name = "head"
each = "data/*.txt"
command = ["toy-first-line", "{{in}}"]
outputs = ["out/{{stem}}.head"]

[[rule]]
name = "link"
inputs = ["rule:cc", "rule:head"]
command = ["toy-cat", "-all", "{{in}}"]
outputs = ["out/all"]
"""


def includes(names: list[str], body: str) -> str:
    return "\n".join([*(f"include {name}" for name in names), body]) + "\n"


BODY = st.builds(
    includes,
    st.lists(st.sampled_from(["a.h", "b.h"]), max_size=2, unique=True),
    st.lists(WORDS, max_size=3).map("\n".join),
)
HEADER_BODY = st.builds(
    includes, st.lists(st.sampled_from(["c.h"]), max_size=1), st.lists(WORDS, max_size=2).map("\n".join)
)


class Incremental(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="windrow-machine-"))
        self.space = Workspace(self.home / "tree")
        self.flag = "-f0"
        self.files: dict[str, str] = {}
        self.past: list[tuple[dict[str, str], str]] = []
        # A damaged blob shows when it is next needed, so from then on more may run than the edits ask for.
        self.spoilt = False
        self.altered: set[str] = set()
        self.known: set[tuple[object, ...]] = set()
        self.built = False

    def teardown(self) -> None:
        # However the edits fell, every sequence ends in a judgement.
        try:
            if (self.space.root / "windrow.toml").exists():
                self.build()
                if self.built:
                    self.build_again()
                    self.compare_with_a_clean_build()
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    # -- the tree -----------------------------------------------------------------------------------

    def put(self, path: str, text: str) -> None:
        self.files[path] = text
        self.space.write(path, text)
        self.built = False

    def take(self, path: str) -> str:
        """Remove a file. An output of it that was altered by hand would rightly be kept: it goes with it."""
        made = f"out/{Path(path).stem}" + (".o" if path in UNITS else ".head")
        if made in self.altered:
            self.space.delete(made)
            self.altered.discard(made)
        return self.files.pop(path)

    @initialize()
    def first_tree(self) -> None:
        for path, text in (("one/a.h", "a1\n"), ("two/a.h", "a2\n"), ("two/b.h", "b2\n"), ("two/c.h", "c2\n")):
            self.put(path, text)
        self.put("src/m.c", "include a.h\nm\n")
        self.put("data/x.txt", "first\nsecond\n")
        self.set_flag("-f0")

    @rule(flag=st.sampled_from(["-f0", "-f1", "-f2"]))
    def set_flag(self, flag: str) -> None:
        self.flag = flag
        self.space.write("windrow.toml", RULES.format(name="machine", flag=flag))
        self.built = False

    @rule(path=st.sampled_from(UNITS), text=BODY)
    def write_unit(self, path: str, text: str) -> None:
        self.put(path, text)

    @rule(path=st.sampled_from(HEADERS), text=HEADER_BODY)
    def write_header(self, path: str, text: str) -> None:
        # c.h includes nothing, so that no header includes itself.
        self.put(path, text.replace("include c.h", "") if path.endswith("c.h") else text)

    @rule(path=st.sampled_from(DATA), text=st.lists(WORDS, max_size=3).map("\n".join))
    def write_data(self, path: str, text: str) -> None:
        self.put(path, text + "\n")

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(self.files)))
        self.take(path)
        self.space.delete(path)
        self.built = False

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def rename(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(self.files)))
        pool = next(pool for pool in (HEADERS, UNITS, DATA) if path in pool)
        free = [other for other in pool if other not in self.files]
        if not free or path.endswith(".h"):
            return
        target = data.draw(st.sampled_from(free))
        self.files[target] = self.take(path)
        os.rename(self.space.root / path, self.space.root / target)
        self.built = False

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def edit_with_size_and_times_kept(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(self.files)))
        text = self.files[path]
        turned = text.translate(str.maketrans("pqrs", "qpsr"))
        before = os.stat(self.space.root / path)
        self.put(path, turned)
        os.utime(self.space.root / path, ns=(before.st_atime_ns, before.st_mtime_ns))

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def touch(self, data: st.DataObject) -> None:
        os.utime(self.space.root / data.draw(st.sampled_from(sorted(self.files))))

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def revert(self, data: st.DataObject) -> None:
        files, flag = data.draw(st.sampled_from(self.past))
        for path in set(self.files) - set(files):
            self.take(path)
            self.space.delete(path)
        self.files = {}
        for path, text in files.items():
            self.put(path, text)
        self.set_flag(flag)

    # -- harm ---------------------------------------------------------------------------------------

    def blobs(self) -> list[Path]:
        return sorted(path for path in (self.space.cache / "store" / "blobs").glob("*/*") if path.is_file())

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def corrupt_a_blob(self, data: st.DataObject) -> None:
        blobs = self.blobs()
        if blobs:
            path = data.draw(st.sampled_from(blobs))
            path.chmod(0o644)
            path.write_bytes(b"spoilt")
            self.spoilt = True
            self.built = False

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def delete_a_blob(self, data: st.DataObject) -> None:
        blobs = self.blobs()
        if blobs:
            data.draw(st.sampled_from(blobs)).unlink()
            self.spoilt = True
            self.built = False

    @rule()
    def wipe_the_workspace_state(self) -> None:
        self.space.wipe_state()

    @precondition(lambda self: self.past)
    @rule(data=st.data(), how=st.sampled_from(["delete", "alter"]))
    def harm_an_output(self, data: st.DataObject, how: str) -> None:
        made = sorted(path for path in (self.space.root / "out").glob("*") if path.is_file())
        if how == "alter":
            # What was made of a source that is gone by now would, once altered, rightly be kept.
            made = [path for path in made if path.name == "all" or self.has_source(path)]
        if made:
            path = data.draw(st.sampled_from(made))
            name = str(path.relative_to(self.space.root))
            if how == "delete":
                path.unlink()
                self.altered.discard(name)
            else:
                path.write_text("altered")
                self.altered.add(name)
            self.built = False

    def has_source(self, made: Path) -> bool:
        pool = UNITS if made.suffix == ".o" else DATA
        return any(Path(path).stem == made.stem for path in pool if path in self.files)

    # -- the judgement ------------------------------------------------------------------------------

    def expected(self) -> dict[str, str] | None:
        """The outputs, worked out from the tree; None if a unit includes what is nowhere."""
        made: dict[str, str] = {}
        for path in (p for p in UNITS if p in self.files):
            try:
                argv = ("toy-cc", self.flag, "-Ione", "-Itwo", path)
                made[f"out/{Path(path).stem}.o"] = evaluate(argv, self.files)[0]
            except CompileError:
                return None
        for path in (p for p in DATA if p in self.files):
            made[f"out/{Path(path).stem}.head"] = evaluate(("toy-first-line", path), self.files)[0]
        made["out/all"] = evaluate(("toy-cat", "-all", *sorted(made)), made)[0]
        return made

    def signature(self, path: str) -> tuple[object, ...]:
        """What the result of a unit's or data file's job depends on: two equal signatures are one action."""
        if path in DATA:
            return ("head", path, self.files[path])
        read: set[str] = set()
        asked: set[str] = set()
        compile_text(path, self.files, ["one", "two"], read, asked)
        used = tuple(sorted((p, self.files[p]) for p in {path, *read}))
        seen = tuple(sorted(p for p in (*HEADERS, *UNITS) if p in self.files and p.rpartition("/")[2] in asked))
        return ("cc", path, self.flag, used, seen)

    def job(self, path: str) -> str:
        return f"head:out/{Path(path).stem}.head" if path in DATA else f"cc:out/{Path(path).stem}.o"

    def signatures(self, made: dict[str, str]) -> dict[str, tuple[object, ...]]:
        found = {self.job(path): self.signature(path) for path in (*UNITS, *DATA) if path in self.files}
        found["link:out/all"] = ("link", tuple(sorted((p, text) for p, text in made.items() if p != "out/all")))
        return found

    def remember_what_succeeded(self) -> None:
        """A failed build loses no finished work."""
        for path in (*UNITS, *DATA):
            if path in self.files and self.job(path) in self.space.performed:
                with suppress(CompileError):
                    self.known.add(self.signature(path))

    @rule()
    def build_now(self) -> None:
        self.build()

    @rule()
    def build_soon(self) -> None:
        """As likely again: a sequence without builds between its edits tells little."""
        self.build()

    def build(self) -> None:
        made = self.expected()
        before = self.tree()
        report = self.space.build()
        if made is None:
            assert report.status == "failed"
            assert report.revision == 0
            assert self.tree() == before
            self.remember_what_succeeded()
            return
        assert report.status in ("ok", "no-changes"), report.failures
        for path, text in made.items():
            assert self.space.read(path) == text, path
        assert {str(p.relative_to(self.space.root)) for p in (self.space.root / "out").glob("*")} == set(made)
        signatures = self.signatures(made)
        new = {job for job, signature in signatures.items() if signature not in self.known}
        if not self.spoilt:
            assert sorted(self.space.performed) == sorted(new)
        else:
            assert len(self.space.performed) == len(set(self.space.performed))
            assert set(self.space.performed) >= new
        self.known.update(signatures.values())
        self.past.append((dict(self.files), self.flag))
        self.altered.clear()
        self.built = True

    def tree(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in (self.space.root / "out").glob("*") if path.is_file()}

    @precondition(lambda self: self.built)
    @rule()
    def build_again(self) -> None:
        report = self.space.build()

        assert report.status == "no-changes"
        assert self.space.performed == []

    @precondition(lambda self: self.built)
    @rule()
    def compare_with_a_clean_build(self) -> None:
        clean = Workspace(self.home / "clean", cache=self.home / "clean-cache")
        for path, text in self.files.items():
            clean.write(path, text)
        clean.write("windrow.toml", self.space.read("windrow.toml"))
        try:
            assert clean.build().status == "ok"
            ours, theirs = self.space.manifest(), clean.manifest()
            assert ours.content_hash == theirs.content_hash
            assert {p: a.hash for p, a in ours.artefacts.items()} == {p: a.hash for p, a in theirs.artefacts.items()}
            assert {j: e.key for j, e in ours.jobs.items()} == {j: e.key for j, e in theirs.jobs.items()}
        finally:
            shutil.rmtree(clean.root)
            shutil.rmtree(clean.cache, ignore_errors=True)

    @invariant()
    def what_current_names_is_there(self) -> None:
        if not self.built:
            return
        store = self.space.cache / "store" / "blobs"
        for artefact in self.space.manifest().artefacts.values():
            digits = hashing.bare(artefact.hash)
            assert (store / digits[:2] / digits).is_file()


SETTINGS = settings(
    max_examples=SEQUENCES // PARTS,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    phases=[phase for phase in Phase if phase is not Phase.shrink or not os.environ.get("CI")],
)


@pytest.mark.parametrize("part", range(PARTS))
def test_incremental_equals_clean(part: int) -> None:
    machine = type(f"Incremental{part}", (Incremental,), {})
    if os.environ.get("CI"):
        # Where hypothesis draws the same each time, the parts are not to draw the same as each other.
        seed(part)(machine)
    run_state_machine_as_test(machine, settings=SETTINGS)
