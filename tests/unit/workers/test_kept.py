"""Kept trees: what one job was given serves the next, and nothing else of it does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared import hashing
from shared.model.action import Action, Input
from shared.storage.memory import MemoryBlobs
from workers.sandbox.fetching import Fetcher
from workers.sandbox.home import Home
from workers.sandbox.kept import LEAST, Kept, KeptTrees, tidied
from workers.sandbox.marks import Marks
from workers.sandbox.sandbox import Sandbox

NAMES = [f"inc/{number:02d}/h.h" for number in range(LEAST)]


class Bench:
    """Lays out jobs one after the other in one home, as a worker does."""

    def __init__(self, root: Path, most: tuple[int, int] = (2, 1 << 20)) -> None:
        self.home, self.blobs = Home(root / "home", most), MemoryBlobs()
        self.laid_out: list[str] = []  # what the last job had to fetch

    def given(self, text: str = "x", mode: str = "file", names: list[str] = NAMES) -> dict[str, Input]:
        data = text.encode()
        self.blobs.put(hashing.of_bytes(data), data)
        return {path: Input(path, hashing.of_bytes(data), len(data), mode) for path in names}

    def run(self, given: dict[str, Input], work=lambda _tree: None, *, observed: bool = False, **about):
        """What the tree held when the command began, and what Marks tell after `work`; the tree is handed on.

        What is observed is not looked at before: that would be seen.
        """
        action = Action("command", ("c",), (), ("out",), None, "t", tuple(given.values()), (), loose=True, **about)

        def take() -> Kept | None:
            return self.home.trees.take(action.inputs, observed=observed)

        with Sandbox(self.home.place(), action, self.home.discard, take) as sandbox:
            sandbox.lay_out_folders()
            files = sandbox.files()
            self.laid_out = [item.path for item in files]
            Fetcher(self.blobs).fetch(files, sandbox.tree)
            sandbox.lay_out_texts("/")
            sandbox.lay_out_links()
            written = self.home.watch(sandbox.tree, ("", *sandbox.folders))
            marks = Marks(
                sandbox.tree, action, sandbox.folders, observed=observed, marked=sandbox.marked, written=written
            )
            held = {} if observed else listing(sandbox.tree)
            work(sandbox.tree)
            told = (marks.read().inputs if observed else (), marks.changed())
            files = {item.path: item for item in action.inputs if item.mode != "link"}
            laid = marks.untouched()
            kept = None if laid is None else tidied(sandbox.tree, files, laid, mode=marks.mode, observed=observed)
            if kept is not None:
                self.home.keep(kept)
        return held, *told


def listing(tree: Path) -> dict[str, str]:
    found = {}
    for folder, folders, files in os.walk(tree):
        for name in files:
            path = Path(folder, name)
            found[str(path.relative_to(tree))] = str(path.readlink()) if path.is_symlink() else path.read_text()
        for name in folders:
            path = Path(folder, name)
            if path.is_symlink():
                found[str(path.relative_to(tree))] = str(path.readlink())
            elif not any(path.iterdir()):
                found[f"{path.relative_to(tree)}/"] = ""
    return found


@pytest.fixture
def bench(tmp_path: Path):
    made = Bench(tmp_path)
    yield made
    made.home.close()


def test_the_next_job_fetches_only_what_differs(bench: Bench) -> None:
    given = bench.given()
    first, *_ = bench.run(given)
    assert sorted(bench.laid_out) == NAMES
    changed = {**given, **bench.given("new", names=NAMES[:1]), **bench.given("y", names=["src/a.c"])}
    del changed[NAMES[1]]

    second, *_ = bench.run(changed)

    assert sorted(bench.laid_out) == [NAMES[0], "src/a.c"]
    assert first == dict.fromkeys(NAMES, "x")
    assert second == {**dict.fromkeys(NAMES[2:], "x"), NAMES[0]: "new", "src/a.c": "y"}


def _write(path: str, text: str = "bad"):
    def work(tree: Path) -> None:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)

    return work


def _hide(tree: Path) -> None:
    path = tree / NAMES[3]
    status = path.stat()
    path.write_text("z")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _linked(tree: Path) -> None:
    (tree / "out").hardlink_to(tree / NAMES[3])


def _replace(tree: Path) -> None:
    (tree / NAMES[3]).unlink()
    (tree / NAMES[3]).symlink_to("../../elsewhere")


LEFT = {
    "an output": _write("out"),
    "a file in a new folder": _write("deep/er/file"),
    "a file beside an input": _write("inc/03/other"),
    "an input written to": _write(NAMES[3]),
    "an input written to, with its old time": _hide,
    "an input with another mode": lambda tree: (tree / NAMES[3]).chmod(0o755),
    "an input with another name": _linked,
    "an input deleted": lambda tree: (tree / NAMES[3]).unlink(),
    "a symlink in place of an input": _replace,
}


@pytest.mark.parametrize("what", LEFT)
def test_what_a_command_left_is_not_handed_on(bench: Bench, what: str) -> None:
    given = bench.given()
    bench.run(given, LEFT[what])

    held, _, changed = bench.run(given)

    assert held == dict.fromkeys(NAMES, "x")
    assert not changed
    assert set(bench.laid_out) <= {NAMES[3]}


@pytest.mark.parametrize("lock", [0o000, 0o555])
def test_a_tree_that_cannot_be_put_in_order_is_not_kept(bench: Bench, lock: int) -> None:
    given = bench.given()
    bench.run(given, lambda tree: (tree / "inc/05").chmod(lock))

    held, *_ = bench.run(given)

    assert held == dict.fromkeys(NAMES, "x")
    assert sorted(bench.laid_out) == NAMES


def test_a_tree_whose_folders_all_have_another_mode_is_not_kept(bench: Bench) -> None:
    """What the next job sees of them, and copies, would be the work of this one."""
    given = bench.given()
    modes: list[int] = []

    def change(tree: Path) -> None:
        folders = [Path(folder) for folder, _, _ in os.walk(tree)]
        modes.extend({folder.stat().st_mode for folder in folders})
        for folder in folders:
            folder.chmod(0o711)

    for _ in range(2):
        bench.run(given, change)

    assert len(modes) == 2
    assert modes[0] == modes[1]
    assert sorted(bench.laid_out) == NAMES


def test_what_a_job_reads_is_seen_though_another_read_something_else(bench: Bench) -> None:
    given = bench.given()

    _, first, _ = bench.run(given, lambda tree: (tree / NAMES[0]).read_text(), observed=True)
    _, second, _ = bench.run(given, lambda tree: (tree / NAMES[1]).read_text(), observed=True)

    assert (first, second, bench.laid_out) == ((NAMES[0],), (NAMES[1],), [])


def test_what_was_not_observed_serves_none_that_is(bench: Bench) -> None:
    given = bench.given()
    bench.run(given)

    bench.run(given, observed=True)

    assert sorted(bench.laid_out) == NAMES


def test_symlinks_and_files_of_the_order_are_made_anew(bench: Bench) -> None:
    given = bench.given()
    link = {"there": Input("there", hashing.of_bytes(b"inc"), 3, "link")}
    held, *_ = bench.run({**given, **link}, links={"there": "inc/00"}, files=(("rsp", "one"),))
    assert held == {**dict.fromkeys(NAMES, "x"), "rsp": "one", "there": "inc/00"}

    held, *_ = bench.run({**given, **link}, links={"there": "inc/01"}, files=(("rsp", "two"),))

    assert bench.laid_out == []
    assert held == {**dict.fromkeys(NAMES, "x"), "rsp": "two", "there": "inc/01"}
    held, *_ = bench.run(given)
    assert held == dict.fromkeys(NAMES, "x")


def test_a_tree_that_is_too_different_stays_for_another(bench: Bench) -> None:
    given = bench.given()
    bench.run(given)
    others = bench.given(names=[f"src/{number}.c" for number in range(LEAST)])

    bench.run(others)
    assert sorted(bench.laid_out) == sorted(others)
    bench.run(given)
    assert bench.laid_out == []


def test_a_few_files_are_laid_out_anew(bench: Bench) -> None:
    few = bench.given(names=NAMES[: LEAST - 1])  # of a byte each
    bench.run(few)

    bench.run(few)

    assert len(bench.laid_out) == LEAST - 1


def test_a_few_large_files_are_handed_on_and_go_before_many_small_ones(tmp_path: Path) -> None:
    """As the links of test programs have them: an object of their own, and the same libraries."""
    trees = KeptTrees((9, 1 << 30))
    libraries = [Input(f"lib/{number}.so", hashing.EMPTY, 4 << 20) for number in range(3)]
    small = [Input(f"obj/{number}.o", hashing.EMPTY, 1000) for number in range(20)]
    for number, items in enumerate((libraries, small)):
        given = {item.path: item for item in items}
        assert trees.give(Kept(tmp_path / str(number), given, {}, {""}, observed=False)) == []

    nearest = trees.take([*libraries, *small[:12]], observed=False)

    assert nearest is not None
    assert nearest.items.keys() == {item.path for item in libraries}
    assert trees.take(small, observed=False) is None  # too little to compare


def test_a_tree_of_files_that_hold_something_else_is_of_no_use(tmp_path: Path) -> None:
    trees = KeptTrees((9, 1 << 30))
    items = {path: Input(path, hashing.of_bytes(b"other"), 5) for path in NAMES}
    trees.give(Kept(tmp_path / "tree", items, {}, {""}, observed=False))

    assert trees.take([Input(path, hashing.EMPTY, 0) for path in NAMES], observed=False) is None


@pytest.mark.parametrize(("most", "kept"), [((2, 1 << 20), 2), ((9, 2 * LEAST), 2), ((0, 1 << 20), 0), ((9, 1), 0)])
def test_no_more_is_kept_than_may_be(tmp_path: Path, most: tuple[int, int], kept: int) -> None:
    trees = KeptTrees(most)
    items = {path: Input(path, hashing.EMPTY, 1) for path in NAMES}
    made = [Kept(tmp_path / str(number), items, {}, {""}, observed=False) for number in range(4)]

    gone = [path for one in made for path in trees.give(one)]

    assert gone == [one.tree for one in made[: len(made) - kept]]
    assert trees.clear() == [one.tree for one in made[len(made) - kept :]]
