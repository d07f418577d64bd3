"""A folder that several users of a machine share as a store: what one wrote another uses, renews and replaces."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared import hashing

REPOSITORY = Path(__file__).resolve().parents[3]
GROUP, ONE, OTHER = 65531, 65532, 65533
DATA = b"shared"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")

PROGRAM = """\
import os, sys
from pathlib import Path
from shared import hashing
from shared.storage.disk import DiskBlobs
from shared.storage.disk_refs import DiskRefs
from tests.fakes.clock import FakeClock

root, user, group, seconds, do = Path(sys.argv[1]), *map(int, sys.argv[2:5]), sys.argv[5]
os.setgroups([group]); os.setgid(user); os.setuid(user); os.umask(0o002)
clock = FakeClock(1_000_000_000 + seconds)
blobs, refs = DiskBlobs(root, window=1000.0, clock=clock), DiskRefs(root, clock=clock)
data, name = b"shared", "projects/p/main/current.json"
hash_ = hashing.of_bytes(data)
exec(do)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in (tmp_path, *tmp_path.parents):
        if path.name.startswith(("pytest-", "popen-", "test_")):
            path.chmod(0o755)
    root = tmp_path / "store"
    root.mkdir()
    os.chown(root, 0, GROUP)
    root.chmod(0o2775)
    return root


def act(root: Path, user: int, do: str, *, after: int = 0) -> str:
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", PROGRAM, str(root), *map(str, (user, GROUP, after)), do]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def blob(root: Path) -> Path:
    digits = hashing.bare(hashing.of_bytes(DATA))
    return root / "blobs" / digits[:2] / digits


def test_a_record_that_one_wrote_another_replaces(root: Path) -> None:
    act(root, ONE, "refs.swap(name, b'1', None, fence=1)")

    act(root, OTHER, "refs.swap(name, b'2', refs.read(name).tag, fence=2)")

    assert act(root, ONE, "print(refs.read(name).data.decode())") == "2"


@pytest.mark.parametrize(
    "use", ["blobs.fetch(hash_, root / 'out')", "blobs.find_missing([hash_])", "blobs.touch([hash_])"]
)
def test_an_ageing_blob_of_one_is_renewed_by_the_use_of_another(root: Path, use: str) -> None:
    act(root, ONE, "blobs.put(hash_, data)")
    written = blob(root).stat().st_mtime

    act(root, OTHER, use, after=100)
    assert (blob(root).stat().st_mtime, blob(root).stat().st_uid) == (written, ONE)

    (root / "out").unlink(missing_ok=True)
    act(root, OTHER, use, after=600)
    assert (blob(root).stat().st_mtime, blob(root).stat().st_uid) == (written + 600, OTHER)
    assert (blob(root).read_bytes(), blob(root).stat().st_mode & 0o777) == (DATA, 0o444)
    assert list((root / ".tmp").iterdir()) == []


def test_a_damaged_blob_of_another_is_left_to_its_reader(root: Path) -> None:
    act(root, ONE, "blobs.put(hash_, data)")
    blob(root).write_bytes(b"damage")
    os.utime(blob(root), (1_000_000_000, 1_000_000_000))

    act(root, OTHER, "blobs.touch([hash_])", after=600)

    assert blob(root).read_bytes() == b"damage"
