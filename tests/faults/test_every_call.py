"""A build is killed before each of its calls that change the file system, one after another: the next is right."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.running import KILLED
from tests.faults.site import Site

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(900)]

CALLS = (
    "rename",
    "unlink",
    "mkdir",
    "fsync",
    "link,linkat",
    "ftruncate",
    "rmdir,unlinkat",
    "utimensat",
    "fchmod",
    "write,pwrite64,copy_file_range,sendfile",
)


@pytest.fixture
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="windrow-faults-") as folder:
        made = Site(Path(folder))
        yield made
        made.end()


def killing(calls: str, count: int) -> list[str]:
    """A command that runs another, and kills it at so many of these calls by one of its threads."""
    trace = f"--inject={calls}:signal=SIGKILL:when={count}"
    return ["strace", "-f", "-qq", "-o", "/dev/null", f"--trace={calls}", trace]


@pytest.mark.parametrize("calls", CALLS)
def test_a_build_killed_at_any_such_call(site: Site, calls: str) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not on this machine")
    if subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], check=False).returncode != 0:
        pytest.skip("strace may not trace here")
    with site.witness():
        site.right()
        for count in range(1, 200):
            needed, known = site.edit(count % 8), site.results()

            built = site.build(under=killing(calls, count))

            # A job writes too, and if it is what was killed the build has failed.
            assert built.code in (0, KILLED) or "killed by SIGKILL" in built.output, f"{calls} {count}: {built.output}"
            if built.code == 0:
                break
            # One that has nothing to do does not touch the stores, so they are swept by the next that has.
            site.heals(needed=needed, known=known, tidies=False)
            site.edit((count + 1) % 8)
            site.right()
    assert built.code == 0
    assert count > 2, "nothing was killed"
