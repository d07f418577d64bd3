"""What a sandbox promises: the inputs and nothing else goes in, declared plain files and nothing else come out."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from shared import hashing
from shared.model.action import Action, Input
from shared.storage.memory import MemoryBlobs
from workers.sandbox import outputs
from workers.sandbox.broken import Broken
from workers.sandbox.fetching import Fetcher, InputsMissing
from workers.sandbox.sandbox import Sandbox

OUTSIDE = "secret of the host"


def put(blobs: MemoryBlobs, path: str, text: str = "x", mode: str = "file") -> Input:
    hash_ = hashing.of_bytes(text.encode())
    if mode != "link":
        blobs.put(hash_, text.encode())
    return Input(path, hash_, len(text), mode)  # type: ignore[arg-type]


def action(
    inputs: tuple[Input, ...] = (),
    outputs: tuple[str, ...] = ("out/made",),
    depfile: str | None = None,
    links: dict[str, str] | None = None,
) -> Action:
    return Action("command", ("true",), (), outputs, depfile, "", inputs, (), links=links or {})


def lay_out(sandbox: Sandbox, blobs: MemoryBlobs) -> None:
    sandbox.lay_out_folders()
    Fetcher(blobs).fetch(sandbox.files(), sandbox.tree)
    sandbox.lay_out_links()


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


def test_inputs_are_laid_out_with_their_kinds(tmp_path: Path, blobs: MemoryBlobs) -> None:
    inputs = (put(blobs, "a/b/c.h", "c"), put(blobs, "tool.sh", "#!", "exec"), put(blobs, "l", "a/b", "link"))

    with Sandbox(tmp_path / "1", action(inputs, ("x/y/out",), "dep/d", {"l": "a/b"})) as sandbox:
        lay_out(sandbox, blobs)
        tree = sandbox.tree

        assert (tree / "a/b/c.h").read_text() == "c"
        assert (tree / "a/b/c.h").stat().st_mode & 0o777 == 0o644
        assert (tree / "tool.sh").stat().st_mode & 0o777 == 0o755
        assert os.readlink(tree / "l") == "a/b"
        assert (tree / "x/y").is_dir()
        assert (tree / "dep").is_dir()
        assert sandbox.undeclared() == []
    assert not (tmp_path / "1").exists()


def test_changing_an_input_changes_no_blob(tmp_path: Path, blobs: MemoryBlobs) -> None:
    inputs = (put(blobs, "a", "before"),)
    with Sandbox(tmp_path / "1", action(inputs)) as sandbox:
        lay_out(sandbox, blobs)

        (sandbox.tree / "a").write_text("after")

        assert sandbox.undeclared() == []
    assert blobs.get(inputs[0].hash) == b"before"


def test_every_missing_or_damaged_input_is_named_at_once(tmp_path: Path, blobs: MemoryBlobs) -> None:
    inputs = tuple(put(blobs, name, name) for name in ("a", "b", "c", "d", "e"))
    blobs.delete(inputs[1].hash)
    blobs.delete(inputs[3].hash)
    blobs.contents[inputs[4].hash] = b"bit rot"

    with Sandbox(tmp_path / "1", action(inputs)) as sandbox, pytest.raises(InputsMissing) as caught:
        lay_out(sandbox, blobs)

    assert set(caught.value.hashes) == {inputs[1].hash, inputs[3].hash, inputs[4].hash}


BAD_PATHS = [
    "",
    ".",
    "..",
    "../x",
    "a/../../x",
    "/etc/passwd",
    "a//b",
    "a/./b",
    "a\0b",
    "a\nb",
    "a\tb",
    ".git/x",
]


@pytest.mark.parametrize("path", [*BAD_PATHS, ".windrow/x", "x" * 256, "a/" * 2100 + "b", "\udc80"])
@pytest.mark.parametrize("place", ["input", "output", "depfile"])
def test_a_path_that_is_no_path_of_the_tree_is_refused(tmp_path: Path, path: str, place: str) -> None:
    item = Input(path, hashing.EMPTY, 0)
    bad = {
        "input": action((item,)),
        "output": action((), (path,)),
        "depfile": action((), ("o",), path),
    }[place]

    with pytest.raises(Broken, match="not a path inside the tree"):
        Sandbox(tmp_path / "1", bad)

    assert not (tmp_path / "1").exists()


@pytest.mark.parametrize(
    "links",
    [
        {"l": "/etc"},
        {"l": "../x"},
        {"a/l": "../../x"},
        {"l": ".."},
        {"a/l": "../.."},
        {"a/b/up": "../..", "s": "a/b/up/../outside"},
        {"a/b/up": "../..", "s": "a/b/up/.."},
        {"l": ""},
        {"l": "a\0b"},
    ],
)
def test_a_symlink_that_leads_out_is_refused(tmp_path: Path, blobs: MemoryBlobs, links: dict[str, str]) -> None:
    inputs = tuple(Input(path, hashing.EMPTY, 0, "link") for path in links)

    with Sandbox(tmp_path / "1", action(inputs, links=links)) as sandbox:
        with pytest.raises(Broken, match="leads out of the tree"):
            lay_out(sandbox, blobs)


def test_a_symlink_within_the_tree_may_dangle_loop_or_name_the_root(tmp_path: Path, blobs: MemoryBlobs) -> None:
    links = {"a/l": "../b", "loop": "loop", "root": ".", "dir/up": ".."}
    inputs = tuple(Input(path, hashing.EMPTY, 0, "link") for path in links)

    with Sandbox(tmp_path / "1", action(inputs, links=links)) as sandbox:
        lay_out(sandbox, blobs)

        assert os.readlink(sandbox.tree / "a/l") == "../b"


@pytest.mark.parametrize(
    ("inputs", "outs", "links"),
    [
        (("a", "a/b"), ("o",), {}),
        (("a",), ("a/o",), {}),
        (("a", "a"), ("o",), {}),
        (("l", "l/b"), ("o",), {"l": "d"}),
        (("l",), ("l/o",), {"l": "d"}),
    ],
)
def test_a_file_that_would_have_to_be_a_folder_is_refused(
    tmp_path: Path, inputs: tuple[str, ...], outs: tuple[str, ...], links: dict[str, str]
) -> None:
    items = tuple(Input(path, hashing.EMPTY, 0, "link" if path in links else "file") for path in inputs)

    with pytest.raises(Broken):
        Sandbox(tmp_path / "1", action(items, outs, links=links))


# -- outputs ----------------------------------------------------------------------------------------


def symlink(tree: Path) -> None:
    (tree / "out/made").symlink_to(tree.parent / "outside")


def symlink_inside(tree: Path) -> None:
    (tree / "real").write_text("x")
    (tree / "out/made").symlink_to("../real")


def dangling(tree: Path) -> None:
    (tree / "out/made").symlink_to("nowhere")


def directory(tree: Path) -> None:
    (tree / "out/made").mkdir()


def pipe(tree: Path) -> None:
    os.mkfifo(tree / "out/made")


def listening(tree: Path) -> None:
    # Bound by a relative name: the path may be longer than a socket's address can be.
    here = os.open(".", os.O_RDONLY)
    os.chdir(tree / "out")
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("made")
    finally:
        os.fchdir(here)
        os.close(here)


def device(tree: Path) -> None:
    os.symlink("/dev/zero", tree / "out/made")


def setuid(tree: Path) -> None:
    (tree / "out/made").write_text("x")
    (tree / "out/made").chmod(0o4755)


def setgid(tree: Path) -> None:
    (tree / "out/made").write_text("x")
    (tree / "out/made").chmod(0o2755)


def hard_link(tree: Path) -> None:
    os.link(tree.parent / "outside", tree / "out/made")


def folder_swapped(tree: Path) -> None:
    (tree / "out").rmdir()
    (tree.parent / "elsewhere").mkdir()
    (tree.parent / "elsewhere/made").write_text(OUTSIDE)
    (tree / "out").symlink_to(tree.parent / "elsewhere")


def folder_swapped_inside(tree: Path) -> None:
    (tree / "out").rmdir()
    (tree / "other").mkdir()
    (tree / "other/made").write_text("x")
    (tree / "out").symlink_to("other")


def folder_is_a_file(tree: Path) -> None:
    (tree / "out").rmdir()
    (tree / "out").write_text("x")


def nothing(tree: Path) -> None:
    """The command did not write it."""


def folder_removed(tree: Path) -> None:
    (tree / "out").rmdir()


REFUSED: list[Callable[[Path], None]] = [
    *(symlink, symlink_inside, dangling, directory, pipe, listening, device, setuid, setgid, hard_link),
    *(folder_swapped, folder_swapped_inside, folder_is_a_file, nothing, folder_removed),
]


@pytest.mark.parametrize("prank", REFUSED, ids=lambda prank: prank.__name__)
def test_an_output_that_is_no_plain_file_of_its_own_is_refused(
    tmp_path: Path, blobs: MemoryBlobs, prank: Callable[[Path], None]
) -> None:
    with Sandbox(tmp_path / "1", action()) as sandbox:
        lay_out(sandbox, blobs)
        (sandbox.place / "outside").write_text(OUTSIDE)
        prank(sandbox.tree)

        with pytest.raises(Broken) as caught:
            outputs.collect(sandbox.tree, ["out/made"])

    assert "out/made" in str(caught.value)
    assert OUTSIDE not in str(caught.value)


def test_plain_outputs_are_taken_with_digest_size_and_kind(tmp_path: Path, blobs: MemoryBlobs) -> None:
    with Sandbox(tmp_path / "1", action((), ("out/a", "out/b", "c"))) as sandbox:
        lay_out(sandbox, blobs)
        (sandbox.tree / "out/a").write_text("aa")
        (sandbox.tree / "out/a").chmod(0o755)
        (sandbox.tree / "out/b").write_text("")
        # One output may be a hard link of another.
        os.link(sandbox.tree / "out/a", sandbox.tree / "c")

        made = outputs.collect(sandbox.tree, ["out/a", "out/b", "c"])

    assert [(o.path, o.size, o.mode) for o in made] == [("out/a", 2, "exec"), ("out/b", 0, "file"), ("c", 2, "exec")]
    assert made[0].hash == hashing.of_bytes(b"aa")


def test_all_missing_outputs_are_named(tmp_path: Path, blobs: MemoryBlobs) -> None:
    with Sandbox(tmp_path / "1", action((), ("a", "b", "c"))) as sandbox:
        lay_out(sandbox, blobs)
        (sandbox.tree / "b").write_text("")

        with pytest.raises(Broken, match="did not write its declared outputs a, c"):
            outputs.collect(sandbox.tree, ["a", "b", "c"])


def test_a_folder_swapped_for_a_symlink_while_it_is_read_never_leads_outside(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    for folder in (tree / "out", outside):
        folder.mkdir(parents=True)
    (tree / "out/made").write_text("inside")
    (outside / "made").write_text(OUTSIDE)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            os.rename(tree / "out", tree / "was")
            os.symlink(outside, tree / "out")
            os.unlink(tree / "out")
            os.rename(tree / "was", tree / "out")

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        for _ in range(1000):
            try:
                seen.add(outputs.collect(tree, ["out/made"])[0].hash)
            except Broken:
                seen.add("refused")
    finally:
        stop.set()
        thread.join()

    assert seen <= {"refused", hashing.of_bytes(b"inside")}


def test_undeclared_files_are_named_and_the_mend_with_them(tmp_path: Path, blobs: MemoryBlobs) -> None:
    inputs = (put(blobs, "src/a.c"),)
    with Sandbox(tmp_path / "1", action(inputs, ("out/a.o",), "out/a.d")) as sandbox:
        lay_out(sandbox, blobs)
        for path in ("out/a.o", "out/a.d", *(f"src/extra{n}" for n in range(7))):
            (sandbox.tree / path).write_text("")
        (sandbox.tree / "empty/folder").mkdir(parents=True)
        (sandbox.tree / "zlink").symlink_to("/etc/passwd")

        with pytest.raises(Broken) as caught:
            sandbox.refuse_undeclared()

    assert "src/extra0, src/extra1, src/extra2, src/extra3, src/extra4 and 3 more" in str(caught.value)
    assert "outputs" in str(caught.value)


def test_a_file_is_read_only_as_far_as_it_may_be_long(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("12345")

    assert outputs.read(tmp_path, "d", 5) == b"12345"
    assert outputs.read(tmp_path, "nowhere/d", 5) is None
    with pytest.raises(Broken, match="longer than 4 bytes"):
        outputs.read(tmp_path, "d", 4)
