"""The scan of a real tree: what it sees, what it leaves out, and what it refuses."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from coordinator.diff import diff
from coordinator.scan import NOT_A_FILE, scan
from shared import hashing
from shared.errors import LocalError
from shared.model.manifest import Artefact, Manifest
from shared.settings import Settings, StorageSettings

HERE = Path(__file__).resolve().parents[3]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


def settings_of(root, **more):
    return Settings(root, "x", "main", root.parent / "cache", **more)


def write(root, path, text="x", *, age=60.0, mode=None):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    if mode is not None:
        file.chmod(mode)
    if age:
        then = time.time() - age
        os.utime(file, (then, then))
    return file


def seen(root, outputs=(), **more):
    return scan(settings_of(root, **more), outputs).snapshot


def test_files_are_seen_with_digest_size_and_kind(root):
    write(root, "src/a.c", "int a;")
    write(root, "run.sh", "#!", mode=0o755)
    (root / "link").symlink_to("src/a.c")

    sources = seen(root).sources

    assert list(sources) == ["link", "run.sh", "src/a.c"]
    assert (sources["src/a.c"].hash, sources["src/a.c"].size, sources["src/a.c"].mode) == (
        hashing.of_bytes(b"int a;"),
        6,
        "file",
    )
    assert sources["run.sh"].mode == "exec"
    assert (sources["link"].hash, sources["link"].mode) == (hashing.of_bytes(b"src/a.c"), "link")


def test_a_symlink_is_an_entry_and_is_never_followed(root):
    write(root.parent, "outside/secret", "s")
    (root / "out").symlink_to("../outside")
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to(".")
    (root / "gone").symlink_to("nowhere")

    snapshot = seen(root)

    assert snapshot.links == {"out": "../outside", "loop": "loop", "up": ".", "gone": "nowhere"}
    assert set(snapshot.sources) == set(snapshot.links)


def test_own_state_and_the_like_are_no_sources(root):
    for path in (
        ".git/config",
        ".windrow/x",
        "a/.git/x",
        "__pycache__/x.pyc",
        "a/.DS_Store",
        "windrow.local.toml",
        ".hg/x",
    ):
        write(root, path)
    write(root, "sub/.git", "gitdir: elsewhere")

    assert seen(root).sources == {}


def test_caches_and_storage_inside_the_tree_are_no_sources(root):
    for path in ("a", "var/cache/blobs/x", "store/blobs/y"):
        write(root, path)
    settings = Settings(root, "x", "main", root / "var" / "cache", StorageSettings(url=f"file://{root}/store"))

    assert set(scan(settings, ()).snapshot.sources) == {"a"}


def test_ignore_files_count_at_every_level(root):
    for path in ("a.o", "keep.o", "sub/b.o", "sub/c.tmp", "sub/deep/c.tmp", "build/x", "sub/build/y", "z.log"):
        write(root, path)
    write(root, ".gitignore", "*.o\n!keep.o\n/build/\n")
    write(root, "sub/.gitignore", "!b.o\n*.tmp\n!deep/c.tmp\n")

    assert set(seen(root, ignore=("*.log",)).sources) == {
        ".gitignore",
        "sub/.gitignore",
        "keep.o",
        "sub/b.o",
        "sub/build/y",
        "sub/deep/c.tmp",
    }


def test_settings_can_take_back_what_a_file_ignores(root):
    write(root, "a.gen")
    write(root, ".gitignore", "*.gen\n")

    assert "a.gen" in seen(root, ignore=("!a.gen",)).sources


def test_an_ignore_file_that_is_a_symlink_counts_for_nothing(root):
    write(root.parent, "patterns", "*\n")
    (root / ".gitignore").symlink_to("../patterns")
    write(root, "a")

    assert "a" in seen(root).sources


def test_known_outputs_are_told_from_sources_wherever_they_lie(root):
    write(root, ".gitignore", "build/\n")
    for path in ("build/a.o", "gen/b.h", "src/c.c"):
        write(root, path)

    snapshot = seen(root, ["build/a.o", "gen/b.h", "build/gone.o"])

    assert set(snapshot.outputs) == {"build/a.o", "gen/b.h"}
    assert set(snapshot.sources) == {".gitignore", "src/c.c"}


def test_what_is_no_file_in_the_place_of_an_output_is_other_content(root):
    write(root, "real", "x")
    (root / "dir.o").mkdir()
    write(root, "dir.o/inside", "x")
    (root / "link.o").symlink_to("real")
    os.mkfifo(root / "pipe.o")
    outputs = ("dir.o", "link.o", "pipe.o")
    manifest = Manifest("x", "main", 1, {}, {}, {path: Artefact(hashing.of_bytes(b"x"), 1, "j") for path in outputs})

    snapshot = seen(root, outputs)

    assert snapshot.outputs["dir.o"] == snapshot.outputs["pipe.o"] == NOT_A_FILE
    assert diff(manifest, snapshot).altered == outputs
    assert set(snapshot.sources) == {"real"}


def test_an_output_behind_a_symlink_is_missing_and_the_symlink_is_told_of(root):
    write(root.parent, "elsewhere/a.o")
    (root / "build").symlink_to("../elsewhere")
    write(root, ".gitignore", "build\n")

    snapshot = seen(root, ["build/a.o"])

    assert snapshot.outputs == {}
    assert snapshot.links == {"build": "../elsewhere"}


def test_pipes_sockets_and_the_like_are_left_out(root):
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))

        assert seen(root).sources == {}


@pytest.mark.parametrize("name", [b"caf\xe9", b"a\nb", b"tab\t", b"del\x7f"])
@pytest.mark.parametrize("folder", [True, False])
def test_a_name_that_cannot_be_a_path_is_named_with_the_way_out(root, name, folder):
    path = os.fsencode(root) + b"/" + name
    os.mkdir(path) if folder else open(path, "wb").close()

    with pytest.raises(LocalError) as caught:
        seen(root)

    assert repr(os.fsdecode(name)) in caught.value.what
    assert "[scan] ignore" in caught.value.fix
    assert seen(root, ignore=(f"{os.fsdecode(name)[:1]}*",)).sources == {}


def test_a_symlink_to_such_a_name_is_refused_too(root):
    os.symlink(b"caf\xe9", os.fsencode(root / "link"))

    with pytest.raises(LocalError, match="the symlink link holds"):
        seen(root)


def test_homes_drives_and_backslashes_are_names_like_any_other(root):
    names = ("~$letter.doc", "a\\x2db.slice", "c:drive", "~")
    for name in names:
        write(root, name)

    result = scan(settings_of(root), ())

    assert sorted(result.snapshot.sources) == sorted(names)
    assert not result.warnings


def test_kinds_of_sources(root):
    paths = {
        "src/a.py": "source", "README.md": "docs", "docs/x.txt": "docs", "tests/x.py": "tests", "a/test_b.py": "tests",
        "b.spec.ts": "tests", "c.test.js": "tests", "package.json": "config", "a/requirements-dev.txt": "config", "x.toml": "config",
    }  # fmt: skip
    for path in paths:
        write(root, path)

    assert {path: state.category for path, state in seen(root).sources.items()} == paths


def test_kinds_can_be_chosen_and_changing_them_hashes_nothing(root):
    for path in ("a.md", "book/b.md", "x.toml"):
        write(root, path)
    while (result := scan(settings_of(root), ())).snapshot.hashed:
        result.save()

    snapshot = seen(root, categories={"docs": ("a.md",), "source": ("*.toml",)})

    assert {path: state.category for path, state in snapshot.sources.items()} == {
        "a.md": "docs",
        "book/b.md": "source",
        "x.toml": "source",
    }
    assert snapshot.hashed == 0


def test_many_large_files_are_hashed_like_few_small_ones(root):
    texts = {f"f{number}": f"{number}" * (300_000 + number) for number in range(40)}
    for path, text in texts.items():
        write(root, path, text)

    sources = seen(root).sources

    assert {path: state.hash for path, state in sources.items()} == {
        path: hashing.of_bytes(text.encode()) for path, text in texts.items()
    }


UNREADABLE = """
import os, sys
sys.path.insert(0, {home!r})
from pathlib import Path
import shared.atomic
from coordinator.scan import scan
from shared.errors import UnreadableFile
from shared.settings import Settings
# Python itself may lie where nobody else can read, so everything is imported first.
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    result = scan(Settings(Path({root!r}), "x", "main", Path("/nowhere")), {outputs!r})
except UnreadableFile as error:
    print(error.exit_code, error.at, error.fix)
else:
    print(sorted(result.snapshot.sources), result.warnings, result.save())
"""


def as_nobody(root, outputs=()):
    code = UNREADABLE.format(home=str(HERE), root=str(root), outputs=tuple(outputs))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def shown():
    """A tree that other users can come to."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@needs_root
@pytest.mark.parametrize("path", ["src/secret.c", "secret", "sub/.gitignore"])
def test_a_file_that_cannot_be_read_is_named(shown, path):
    write(shown, path, mode=0o600)

    said = as_nobody(shown)

    assert said.startswith(f"36 {path} ")
    assert f'ignore = ["/{path}"]' in said


@needs_root
@pytest.mark.parametrize("mode", [0o700, 0o744])
def test_a_folder_that_cannot_be_read_is_named(shown, mode):
    write(shown, "sub/a")
    (shown / "sub").chmod(mode)

    assert as_nobody(shown).startswith("36 sub")


@needs_root
def test_an_ignored_folder_may_be_unreadable(shown):
    write(shown, "sub/a", mode=0o600)
    (shown / "sub").chmod(0o700)
    write(shown, ".gitignore", "sub/\n")

    assert as_nobody(shown).startswith("['.gitignore']")


@needs_root
def test_a_tree_that_cannot_be_written_is_scanned_with_a_warning(shown):
    write(shown, "a")

    said = as_nobody(shown)

    assert said.startswith("['a']")
    assert "every file counts as just changed" in said
    assert "the next scan will be slow" in said
