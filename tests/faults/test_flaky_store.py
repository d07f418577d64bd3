"""Every single call to the stores fails once, or for good: nothing half-made is shared, and the next build heals."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from coordinator.project import Project
from shared.errors import FarmError
from shared.model.manifest import Manifest
from shared.storage.compose import open_stores
from tests import sweeps
from tests.fakes.compiler import evaluate
from tests.fakes.flaky import Trouble, flaky
from tests.fakes.workspace import Workspace

pytestmark = [pytest.mark.fault, pytest.mark.timeout(200)]

MOST = 200  # more calls than one build makes
RULES = """\
[project]
name = "flaky"

[toolchain]
fingerprint = "toy"

[[rule]]
name = "cc"
each = "src/*.c"
inputs = ["include/*.h"]
command = ["toy-cc", "-Iinclude", "{in}"]
outputs = ["out/{stem}.o"]
depfile = "out/{stem}.d"

[[rule]]
name = "link"
inputs = ["rule:cc"]
command = ["toy-cat", "{in}"]
outputs = ["out/all"]
"""


class FlakyWorkspace(Workspace):
    """A workspace whose stores are as unreliable as `trouble` says."""

    trouble = Trouble()

    def project(self) -> Project:
        project = super().project()
        stores = flaky(open_stores(project.settings), self.trouble)
        return Project(
            project.settings, environ=self.environ, clock=self.clock, performers=self._performers(), stores=stores
        )


def contents(manifest: Manifest) -> tuple[str, dict[str, str]]:
    return manifest.content_hash, {job: entry.key for job, entry in manifest.jobs.items()}


def edit(space: FlakyWorkspace, number: int) -> None:
    """Text that was never there before: no stored result fits the jobs that read it."""
    space.write("include/a.h", f"header {number}\n")
    space.write(f"src/{'mno'[number % 3]}.c", f"include a.h\nunit of {number}\n")


def expected(space: FlakyWorkspace) -> dict[str, str]:
    files = {path: space.read(path) for path in ("include/a.h", "src/m.c", "src/n.c", "src/o.c")}
    made = {f"out/{unit}.o": evaluate(("toy-cc", "-Iinclude", f"src/{unit}.c"), files)[0] for unit in "mno"}
    return made


def stored(space: FlakyWorkspace) -> dict[str, str]:
    """The stored results, by name, each with the output that it is of."""
    refs = space.project().stores.refs
    records = {name: refs.read(name) for name in refs.names("results/")}
    results = {name: msgspec.json.decode(record.data) for name, record in records.items() if record}
    return {name: result["outputs"][0]["path"] for name, result in results.items() if "outputs" in result}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that can be: some hundred builds sync each of their records."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="windrow-flaky-", dir=memory) as made:
        yield Path(made)


@pytest.mark.parametrize("after_effect", [False, True], ids=["refused", "reply lost"])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_whichever_call_fails_the_revision_is_the_old_or_the_new_one(
    folder: Path, lasting: bool, after_effect: bool
) -> None:
    space = FlakyWorkspace(folder / "tree")
    space.write("windrow.toml", RULES)
    for number in range(-3, 0):
        edit(space, number)
    refused = 0

    # Of every four calls each of the four forms tries one, but in the long form all.
    first, step = (1, 1) if sweeps.ALL else (1 + 2 * lasting + after_effect, 4)
    for fail_at in range(first, MOST, step):
        # One that is not troubled, so that all begin alike.
        edit(space, 2 * fail_at)
        space.build()
        before, known = space.manifest(), stored(space)
        edit(space, 2 * fail_at + 1)
        space.trouble = trouble = Trouble(fail_at, lasting=lasting, after_effect=after_effect)
        try:
            space.build()
            passed = True
        except FarmError:
            passed = False
        space.trouble = Trouble()
        now, finished = space.manifest(), [path for name, path in stored(space).items() if name not in known]

        assert not space.project().stores.blobs.find_missing({made.hash for made in now.artefacts.values()})
        assert list(space.root.glob(".windrow/stage/*")) == []
        space.build()
        after = space.manifest()
        assert now == before or contents(now) == contents(after), f"call {fail_at}: neither before nor after"
        assert not passed or contents(now) == contents(after), f"call {fail_at}: the build called itself good"
        assert {path: space.read(path) for path in expected(space)} == expected(space), f"call {fail_at}"
        again = [job for job in space.performed if any(job.endswith(f":{path}") for path in finished)]
        assert not again, f"call {fail_at}: {again} had been stored, and ran again"
        assert space.build().status == "no-changes", f"call {fail_at}"
        refused += not passed
        if not trouble.failed:
            break

    assert passed and not trouble.failed, "no build passed untouched"
    assert fail_at > 45 and refused > 20 // step, "the loop saw too little"
