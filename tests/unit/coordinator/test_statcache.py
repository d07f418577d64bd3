"""The stat cache: what it lets a scan skip, and what must never get past it."""

import os
import random
import time

import msgspec
import pytest

from coordinator.scan import scan
from coordinator.scan.statcache import FileSystemNow, StatCache
from shared import hashing
from shared.settings import Settings

STATE = ".windrow/stat.msgpack"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


def look(root, outputs=(), *, verify=False):
    result = scan(Settings(root, "x", "main", root.parent / "cache"), outputs, verify=verify)
    assert result.save() == ""
    return result.snapshot


def write(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_symlink():
        file.unlink()
    file.write_text(text)
    return file


def settle(root, outputs=()):
    """Scan until nothing is so new that it is read again; the file system's clock passes meanwhile."""
    for _ in range(1000):
        if look(root, outputs).hashed == 0:
            return
    raise AssertionError("files never grow old enough")


def restore_times(file, before):
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_unchanged_tree_is_not_read_and_nothing_is_written(root):
    write(root, "a", "1")
    write(root, "sub/b", "2")
    settle(root, ["o"])
    state = (root / STATE).stat()
    names = sorted(os.listdir(root / ".windrow"))

    snapshot = look(root, ["o"])

    assert snapshot.hashed == 0
    assert (root / STATE).stat().st_mtime_ns == state.st_mtime_ns
    assert sorted(os.listdir(root / ".windrow")) == names


def test_touching_a_file_hashes_it_once_and_changes_nothing(root):
    file = write(root, "a", "1")
    write(root, "b", "2")
    settle(root)
    before = look(root).sources
    os.utime(file, (1_000_000_000, 1_000_000_000))

    snapshot = look(root)
    settle(root)

    assert (snapshot.touched, snapshot.hashed) == (("a",), 1)
    assert snapshot.sources == before
    assert (look(root).touched, look(root).hashed) == ((), 0)


@pytest.mark.parametrize("size", ["same", "other"])
@pytest.mark.parametrize("mtime", ["kept", "older", "future", "new"])
@pytest.mark.parametrize("how", ["in place", "rename over"])
def test_an_edit_is_seen_whatever_its_size_and_time(root, size, mtime, how):
    file = write(root, "a", "old!")
    settle(root)
    before, status = look(root).sources["a"], file.stat()
    text = "new!" if size == "same" else "longer than before"

    if how == "in place":
        file.write_text(text)
    else:
        other = write(root.parent, "other", text)
        other.replace(file)
    if mtime == "kept":
        restore_times(file, status)
    elif mtime != "new":
        when = status.st_mtime_ns + (3600 if mtime == "future" else -3600) * 10**9
        os.utime(file, ns=(when, when))

    assert not look(root).sources["a"].same_content(before)


@pytest.mark.parametrize("output", [True, False])
def test_edits_straight_after_each_scan_are_all_seen(root, output):
    outputs = ["a"] if output else []
    for number in range(60):
        file = write(root, "a", f"{number:04}")
        os.utime(file, ns=(10**18, 10**18))
        snapshot = look(root, outputs)

        assert (snapshot.outputs if output else snapshot.sources)["a"].hash == hashing.of_bytes(b"%04d" % number)


def test_a_file_from_the_future_is_read_every_time_and_an_edit_of_it_is_seen(root):
    file = write(root, "a", "old!")
    ahead = time.time_ns() + 10**13
    os.utime(file, ns=(ahead, ahead))
    before = look(root).sources["a"]

    assert look(root).hashed == 1
    assert look(root).touched == ()
    file.write_text("new!")
    os.utime(file, ns=(ahead, ahead))
    assert look(root).sources["a"].hash != before.hash


def test_a_file_just_written_is_not_relied_on(root):
    write(root, "a", "1")

    look(root)

    entry = StatCache.load(root / STATE).entries["a"]
    assert entry.racy


def test_a_changed_mode_is_content_only_where_it_makes_a_program(root):
    file = write(root, "a", "1")
    file.chmod(0o644)
    settle(root)

    file.chmod(0o664)
    shared = look(root)
    file.chmod(0o755)
    program = look(root)

    assert (shared.sources["a"].mode, shared.touched) == ("file", ("a",))
    assert (program.sources["a"].mode, program.touched) == ("exec", ())


def test_a_new_hard_link_and_a_copied_back_file_are_no_change(root):
    file = write(root, "a", "1")
    settle(root)
    before = look(root).sources
    os.link(file, root.parent / "elsewhere")

    linked = look(root)
    file.unlink()
    write(root, "a", "1")
    copied = look(root)

    assert linked.sources == copied.sources == before
    assert linked.touched == copied.touched == ("a",)


def test_a_retargeted_symlink_is_seen_though_its_times_are_restored(root):
    write(root, "x", "1")
    write(root, "y", "2")
    link = root / "l"
    link.symlink_to("x")
    settle(root)
    before, status = look(root), link.lstat()
    link.unlink()
    link.symlink_to("y")
    os.utime(link, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)

    after = look(root)

    assert before.links != after.links
    assert before.sources["l"] != after.sources["l"]


def test_a_file_that_becomes_a_symlink_or_a_folder_is_seen(root):
    file = write(root, "a", "b")
    write(root, "b", "b")
    settle(root)
    file.unlink()
    file.symlink_to("b")
    linked = look(root)
    file.unlink()
    write(root, "a/inside", "x")

    assert linked.sources["a"].mode == "link"
    assert set(look(root).sources) == {"a/inside", "b"}


def test_verify_reads_everything(root):
    write(root, "a", "1")
    write(root, "o", "2")
    settle(root, ["o"])

    assert look(root, ["o"], verify=True).hashed == 2


def test_learnt_outputs_are_not_read_by_the_next_scan(root):
    write(root, "a", "1")
    settle(root)
    result = scan(Settings(root, "x", "main", root.parent / "cache"), ())
    write(root, "build/o", "made")

    result.learn(["build/o", "build/never"])
    result.save()
    state = (root / STATE).stat().st_mtime_ns
    snapshot = look(root, ["build/o"])

    assert (snapshot.hashed, set(snapshot.outputs)) == (0, {"build/o"})
    assert (root / STATE).stat().st_mtime_ns == state


def test_outputs_of_a_new_rule_can_be_looked_at_later(root):
    write(root, "o", "1")
    (root / "d").mkdir()
    result = scan(Settings(root, "x", "main", root.parent / "cache"), ())

    assert set(result.look(["o", "d", "gone"])) == {"o", "d"}


def test_deleted_files_alone_do_not_make_it_write(root):
    for number in range(5):
        write(root, f"f{number}", "x")
    settle(root)
    state = (root / STATE).stat().st_mtime_ns
    (root / "f0").unlink()

    assert "f0" not in look(root).sources
    assert (root / STATE).stat().st_mtime_ns == state


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\x00\xff garbage",
        msgspec.msgpack.encode({"schema": "windrow.stat/99", "categories": "", "entries": {}}),
        msgspec.msgpack.encode({"schema": "windrow.stat/1", "categories": "", "entries": {"a": [1, 2]}}),
        msgspec.msgpack.encode([1]),
        "cut",
        "folder",
    ],
)
def test_a_damaged_cache_costs_time_and_nothing_else(root, damage):
    write(root, "a", "1")
    settle(root)
    before = look(root).sources
    state = root / STATE
    if damage == "cut":
        state.write_bytes(state.read_bytes()[:-7])
    elif damage == "folder":
        state.unlink()
        state.mkdir()
    else:
        state.write_bytes(damage)

    result = scan(Settings(root, "x", "main", root.parent / "cache"), ())

    assert result.snapshot.sources == before
    assert result.snapshot.hashed == 1
    assert "every file is hashed" in result.warnings[0]


def test_a_missing_cache_is_nothing_to_warn_of(root):
    write(root, "a", "1")

    assert scan(Settings(root, "x", "main", root.parent / "cache"), ()).warnings == ()


def test_a_scan_that_is_not_saved_writes_nothing(root):
    write(root, "a", "1")

    assert scan(Settings(root, "x", "main", root.parent / "cache"), ()).snapshot.hashed == 1

    assert [path.name for path in root.iterdir()] == ["a"]


def test_a_file_system_of_whole_seconds_has_a_wide_margin(root):
    file = write(root, "a", "1")
    now = FileSystemNow(root / ".windrow")
    assert now.now is not None
    second = (now.now // 10**9) * 10**9
    now.now, now.margin = second, 2 * 10**9

    os.utime(file, ns=(second - 10**9, second - 10**9))

    assert now.racy(file.lstat())


def truth(root):
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), os.access(path, os.X_OK))
        if not path.is_symlink()
        else os.readlink(path)
        for path in root.rglob("*")
        if ".windrow" not in path.parts and (path.is_symlink() or path.is_file())
    }


def edit(root, chance):
    """One change a person or a tool may make; most of them try to hide."""
    files = [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink() and ".windrow" not in path.parts
    ]
    file = chance.choice(files) if files else root / "first"
    kind = chance.choice(
        [
            "write",
            "same size",
            "hide",
            "touch",
            "delete",
            "add",
            "rename",
            "swap",
            "chmod",
            "link",
            "nothing",
            "rename over",
            "future",
        ]
    )
    if not files or kind == "add":
        write(root, f"d{chance.randrange(3)}/n{chance.randrange(6)}", str(chance.random()))
        return
    status = file.stat()
    if kind == "write":
        file.write_text(str(chance.random()))
    elif kind in ("same size", "hide"):
        file.write_bytes(bytes(chance.randrange(97, 123) for _ in range(status.st_size)))
        if kind == "hide":
            restore_times(file, status)
    elif kind == "touch":
        os.utime(file)
    elif kind == "future":
        os.utime(file, ns=(10**19 // 5, 10**19 // 5))
    elif kind == "delete":
        file.unlink()
    elif kind == "rename":
        file.rename(file.with_name(f"r{chance.randrange(6)}"))
    elif kind == "swap":
        other = chance.choice(files)
        data = other.read_bytes()
        other.write_bytes(file.read_bytes())
        file.write_bytes(data)
        restore_times(file, status)
    elif kind == "rename over":
        fresh = write(root.parent, "fresh", "y" * status.st_size)
        fresh.chmod(status.st_mode)
        restore_times(fresh, status)
        fresh.replace(file)
    elif kind == "chmod":
        file.chmod(status.st_mode ^ 0o100)
    elif kind == "link":
        file.unlink()
        file.symlink_to(chance.choice(["a", "b", "nowhere"]))


def test_after_random_edits_exactly_what_changed_is_found(root):
    chance = random.Random(20261121)
    for number in range(8):
        write(root, f"d{number % 3}/f{number}", f"text {number}")
    known, real = look(root).sources, truth(root)
    for script in range(250):
        for _ in range(chance.randrange(1, 5)):
            edit(root, chance)

        snapshot = look(root)

        now = truth(root)
        assert set(snapshot.sources) == set(now), f"script {script}"
        found = {
            path
            for path in snapshot.sources
            if path not in known or not snapshot.sources[path].same_content(known[path])
        }
        assert found == {path for path in now if path not in real or now[path] != real[path]}, f"script {script}"
        assert not set(snapshot.touched) & found
        known, real = snapshot.sources, now
