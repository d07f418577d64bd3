"""Jobs of imported builds: their tree appears at its own path, so they make the bytes they would make there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.rooted import RootedFarm, ways
from workers.execute.isolation import Isolation, isolation

WAYS = ways()
HELLO = '#include <stdio.h>\n#include "greet.h"\nint main(void) { puts(GREETING __FILE__); return 0; }\n'
COMPILE = (
    *("gcc", "-g", "-I{root}/inc", "-MD", "-MT", "src/hello.o", "-MF", "src/hello.d", "-o", "src/hello.o"),
    *("-c", "{root}/src/hello.c"),
)
Open = Callable[..., RootedFarm]


@pytest.fixture(params=["mounts", "user-mounts"])
def way(request: pytest.FixtureRequest) -> Isolation:
    if request.param not in WAYS:
        pytest.skip(f"this machine has no {request.param}")
    found: Isolation = request.param
    return found


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens farms, and looks at the end that they left nothing."""
    farms: list[RootedFarm] = []
    places: list[Path] = []

    def open_(root: Path | str, sandboxes: Path | None = None, **about: object) -> RootedFarm:
        places.append(sandboxes or tmp_path / "sandboxes")
        farms.append(RootedFarm(root, places[-1], **about))  # type: ignore[arg-type]
        return farms[-1]

    yield open_
    for farm in farms:
        farm.worker.close()
    assert [list(place.iterdir()) for place in places if place.exists()] == [[] for place in places if place.exists()]


def hello(farm: RootedFarm) -> None:
    farm.write("src/hello.c", HELLO)
    farm.write("inc/greet.h", '#include "text.h"\n')
    farm.write("inc/text.h", '#define GREETING "hi "\n')


def compile_in(farm: RootedFarm) -> bytes:
    hello(farm)
    outcome = farm.run(
        *COMPILE,
        outputs=("build/src/hello.o",),
        depfile="build/src/hello.d",
        cwd="build",
        primary=("src/hello.c",),
    )
    made = farm.made(outcome)
    assert list(made) == ["build/src/hello.o"]
    assert outcome.result is not None
    assert outcome.result.trace is not None
    assert outcome.result.trace.used == ("inc/greet.h", "inc/text.h")
    return bytes(made["build/src/hello.o"])  # type: ignore[arg-type]


def plain(root: Path) -> bytes:
    """What the same command makes in the real folder."""
    (root / "build/src").mkdir(parents=True)
    (root / "src").mkdir()
    (root / "inc").mkdir()
    (root / "src/hello.c").write_text(HELLO)
    (root / "inc/greet.h").write_text('#include "text.h"\n')
    (root / "inc/text.h").write_text('#define GREETING "hi "\n')
    script = subprocess.list2cmdline([word.replace("{root}", str(root)) for word in COMPILE])
    subprocess.run(["/bin/sh", "-c", script], cwd=root / "build", check=True)
    return (root / "build/src/hello.o").read_bytes()


def test_debug_information_is_bit_for_bit_that_of_the_real_folder(tmp_path: Path, opened: Open, way: Isolation) -> None:
    root = tmp_path / "real checkout"
    expected = plain(root)

    one, two = (opened(root, tmp_path / name, way=way) for name in ("a", "b/deeper"))

    assert str(root).encode() in expected
    assert compile_in(one) == expected
    assert compile_in(two) == expected


def test_a_root_that_this_machine_does_not_have_is_made_for_the_job_alone(
    tmp_path: Path, opened: Open, way: Isolation
) -> None:
    missing = tmp_path / "home/of somebody/else"
    (tmp_path / "home/neighbour").mkdir(parents=True)
    (tmp_path / "home/neighbour/file").write_text("still here")
    (tmp_path / "home/link").symlink_to("neighbour/file")
    farm = opened(missing, way=way)
    hello(farm)

    script = f"pwd; cat ../../../neighbour/file ../../../link; ls {tmp_path}/home"
    outcome = farm.run("sh", "-c", f"({script}) > out", outputs=("build/out",), cwd="build")

    assert farm.made(outcome)["build/out"] == (
        f"{missing}/build\nstill herestill herelink\nneighbour\nof somebody\n".encode()
    )
    assert not (tmp_path / "home/of somebody").exists()


def test_a_root_of_which_this_machine_has_no_folder_at_all(opened: Open, way: Isolation) -> None:
    farm = opened("/no-such-folder-on-any-machine/src", way=way)
    farm.write("in", "x")

    for _ in range(2):
        outcome = farm.perform(
            farm.action("sh", "-c", "cat {root}/in; pwd; ls / > out", outputs=("out",)), no_cache=True
        )

        assert outcome.stdout.text == f"x{farm.root}\n"
        assert b"no-such-folder-on-any-machine\n" in bytes(farm.made(outcome)["out"])  # type: ignore[arg-type]
    assert not os.path.exists("/no-such-folder-on-any-machine")


def test_sandboxes_below_the_root_keep_their_temporary_folder(tmp_path: Path, opened: Open, way: Isolation) -> None:
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "not for jobs").write_text("")
    farm = opened(root, root / ".cache/sandbox", way=way)
    farm.write("in", "x")

    script = "f=$(mktemp) && cp {root}/in $f && cp $f {root}/out && case $f in $TMPDIR/*) echo good;; esac; ls {root}"
    outcome = farm.run("sh", "-c", script, outputs=("out",))

    assert farm.made(outcome) == {"out": b"x"}
    assert outcome.stdout.text == "good\nin\nout\n"


def test_only_the_folders_named_appear(tmp_path: Path, opened: Open, way: Isolation) -> None:
    root = tmp_path / "r"
    (root / "tools").mkdir(parents=True)
    (root / "tools/tool").write_text("real")
    (root / "src").mkdir()
    (root / "src/real").write_text("")
    farm = opened(root, way=way)
    farm.write("src/a", "a")

    script = "cat {root}/src/a {root}/tools/tool > x; ls {root}/src; pwd"
    outcome = farm.run("sh", "-c", script, outputs=("build/x",), cwd="build", mounts=("src", "build"))

    assert farm.made(outcome) == {"build/x": b"areal"}
    assert outcome.stdout.text == f"a\n{root}/build\n"
    assert not (root / "build").exists()


def test_nothing_of_it_is_seen_outside(tmp_path: Path, opened: Open, way: Isolation) -> None:
    root = tmp_path / "r"
    root.mkdir()
    farm = opened(root, way=way)
    before = Path("/proc/self/mountinfo").read_text()

    farm.made(farm.run("sh", "-c", "echo x > {root}/out", outputs=("out",)))

    assert list(root.iterdir()) == []
    assert Path("/proc/self/mountinfo").read_text() == before


def test_a_declared_job_after_it_sees_the_machine_as_it_is(tmp_path: Path, opened: Open, way: Isolation) -> None:
    root = tmp_path / "r"
    farm = opened(root, way=way)
    farm.made(farm.run("sh", "-c", "echo x > {root}/out", outputs=("out",)))

    script = f"ls {tmp_path}; readlink /proc/self/ns/user /proc/self/ns/mnt > out"
    outcome = farm.run("sh", "-c", script, outputs=("out",), root="", loose=False)

    own = "".join(os.readlink(f"/proc/self/ns/{name}") + "\n" for name in ("user", "mnt"))
    assert farm.made(outcome)["out"] == own.encode()
    assert outcome.stdout.text == "sandboxes\n"


def test_without_namespaces_compilers_are_told_the_path(tmp_path: Path, opened: Open) -> None:
    root = tmp_path / "checkout"
    one, two = (opened(root, tmp_path / name, way="rewriting") for name in ("a", "b/deeper"))

    objects = {compile_in(farm) for farm in (one, two)}

    assert len(objects) == 1
    assert str(root).encode() in objects.pop()


def test_without_namespaces_the_path_of_the_sandbox_is_never_kept(tmp_path: Path, opened: Open) -> None:
    farm = opened(tmp_path / "checkout", way="rewriting")

    outcome = farm.run("sh", "-c", "echo {root}/x > out; echo y > z", outputs=("out", "z"))

    assert outcome.status == "failed"
    assert "output out holds the path" in outcome.message
    assert farm.results.stored == {}


def test_this_machine_is_asked_once() -> None:
    assert isolation() == (WAYS[0] if WAYS else "rewriting")
