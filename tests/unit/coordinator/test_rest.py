"""What was noted down at rest holds until the file system, the question or the environment says otherwise."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coordinator import rest

TOLD = {"revision": 3, "files": 2, "plain": True}
QUESTION = "hello main"
ENVIRON = {"PATH": "/usr/bin", "HOME": "/home/me", "WINDROW_JOBS": "2", "LANG": "C", "TOKEN": "hush"}


class Kept:
    """A tree, and what was noted down of it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        (self.root / "src").mkdir(parents=True)
        (self.root / "src/a.c").write_text("int a;")
        (self.root / "run.sh").write_text("#!")
        self.beyond = folder / "windrow.toml"
        self.beyond.write_text("beyond")
        self.path = str(folder / "rest")

    def store(self, **more: object) -> None:
        names = [".", "src", "src/a.c", "run.sh", "windrow.local.toml"]
        seen = {name: rest.look(str(self.root / name)) for name in names}
        seen[str(self.beyond)] = rest.look(str(self.beyond))
        rest.store(self.path, QUESTION, str(self.root), seen, {**TOLD, **more}, ("TOKEN",), ENVIRON)

    def holds(self, question: str | None = QUESTION, **variables: str) -> dict[str, object] | None:
        return rest.holds(self.path, question, {**ENVIRON, **variables})


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    kept = Kept(tmp_path)
    kept.store()
    return kept


def rewritten(kept: Kept) -> None:
    (kept.root / "src/a.c").write_text("int abc;")


def rewritten_with_the_old_times_and_size(kept: Kept) -> None:
    file = kept.root / "src/a.c"
    status = file.stat()
    file.write_text("int b;")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def renamed_over(kept: Kept) -> None:
    other = kept.root.parent / "other"
    other.write_text("int a;")
    other.replace(kept.root / "src/a.c")


def added(kept: Kept) -> None:
    (kept.root / "src/b.c").write_text("")


def deleted(kept: Kept) -> None:
    (kept.root / "run.sh").unlink()


def made_executable(kept: Kept) -> None:
    (kept.root / "run.sh").chmod(0o755)


def a_folder_in_its_place(kept: Kept) -> None:
    (kept.root / "run.sh").unlink()
    (kept.root / "run.sh").mkdir()


def an_absent_one_made(kept: Kept) -> None:
    (kept.root / "windrow.local.toml").write_text("")


def one_outside_edited(kept: Kept) -> None:
    kept.beyond.write_text("edited")


def the_tree_moved_away(kept: Kept) -> None:
    kept.root.rename(kept.root.parent / "elsewhere")


CHANGES: list[Callable[[Kept], None]] = [
    rewritten,
    rewritten_with_the_old_times_and_size,
    renamed_over,
    added,
    deleted,
    made_executable,
    a_folder_in_its_place,
    an_absent_one_made,
    one_outside_edited,
    the_tree_moved_away,
]


def test_it_holds_while_nothing_changes_and_says_what_it_was_told(kept: Kept) -> None:
    assert kept.holds() == TOLD
    assert kept.holds() == TOLD


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_any_change_of_a_path_ends_it(kept: Kept, change: Callable[[Kept], None]) -> None:
    change(kept)

    assert kept.holds() is None


def test_reading_files_leaves_it(kept: Kept) -> None:
    (kept.root / "src/a.c").read_text()
    list((kept.root / "src").iterdir())

    assert kept.holds() == TOLD


def test_what_is_asked_counts(kept: Kept) -> None:
    assert kept.holds("hello other") is None


def test_without_a_question_it_holds_only_if_it_was_the_plain_one(kept: Kept) -> None:
    assert kept.holds(None) == TOLD

    kept.store(plain=False)

    assert kept.holds(None) is None
    assert kept.holds() is not None


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "WINDROW_JOBS", "WINDROW_BRANCH", "AWS_PROFILE", "TOKEN", "XDG_CACHE_HOME"]
)
def test_variables_that_can_change_a_build_count(kept: Kept, name: str) -> None:
    assert kept.holds(**{name: "other"}) is None


def test_other_variables_do_not(kept: Kept) -> None:
    assert kept.holds(LANG="de", EDITOR="ed") == TOLD


def test_a_value_cannot_pass_for_two_variables() -> None:
    assert rest.environment({"PATH": "a", "HOME": "b"}) != rest.environment({"PATH": "a\nHOME=b"})
    assert rest.environment({"WINDROW_A": ""}) != rest.environment({})


def test_no_variable_s_value_is_in_the_file_and_only_its_owner_reads_it(kept: Kept) -> None:
    data = Path(kept.path).read_bytes()

    assert [value for value in ENVIRON.values() if len(value) > 2 and value.encode() in data] == []
    assert stat.S_IMODE(Path(kept.path).stat().st_mode) == 0o600


def test_nothing_noted_down_is_nothing(tmp_path: Path) -> None:
    assert rest.holds(str(tmp_path / "rest"), QUESTION, ENVIRON) is None


def test_a_damaged_file_is_none(kept: Kept) -> None:
    whole = Path(kept.path).read_bytes()
    broken = [whole[:length] for length in range(0, len(whole), 7)]
    broken += [whole + b"x", b"\0" * len(whole), b"\0\0\0\0", bytes(reversed(whole))]
    broken += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 11)]

    for data in broken:
        Path(kept.path).write_bytes(data)
        assert kept.holds() is None

    Path(kept.path).write_bytes(whole)
    assert kept.holds() == TOLD


def test_the_caller_stays_where_it_is(kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    kept.holds()

    assert Path.cwd() == tmp_path


@pytest.fixture
def lost_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "lost"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    yield
    os.chdir(tmp_path)


def test_a_folder_that_is_gone_under_the_caller_is_no_error(kept: Kept, lost_folder: None) -> None:
    assert kept.holds() in (None, TOLD)


def test_what_is_behind_a_file_is_absent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert rest.look(str(tmp_path / "file/behind")) == rest.ABSENT
    assert rest.look(str(tmp_path / "none")) == rest.ABSENT
