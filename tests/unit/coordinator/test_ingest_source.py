"""What a source folder holds: the scanner of seed 000 and its 21 cases (W1-02)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from coordinator.ingest.mapping import Mapper, content_type, is_content
from coordinator.ingest.source import Source, look, state_folder
from coordinator.scan.scanner import STATE_FILE
from shared.errors import UnreadableFile, UsageError
from shared.settings import Settings
from tests.scenarios.book import make_book
from tests.waiting import until

LESSON = "Part-01/Chapter-01/01-x.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def settings(folder: Path) -> Settings:
    root = folder.parent / "project"
    root.mkdir(exist_ok=True)
    return Settings(root, "book", "main", folder.parent / "cache")


def write(folder: Path, path: str, data: bytes = b"text\n") -> Path:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(data)
    return folder / path


def scan(folder: Path, *, profile: str = "part-chapter", remember: bool = False, **more: bool) -> Source:
    given = settings(folder)
    if remember:
        state_folder(folder, given).mkdir(parents=True, exist_ok=True)
    source = look(folder, given, Mapper(profile), **more)
    if remember:
        assert source.scanned.save() == ""
    return source


class TestHash:
    """Three cases: it is that of the bytes, of nothing, and of a file larger than a chunk."""

    def test_is_that_of_the_raw_bytes(self, folder: Path) -> None:
        data = b"caf\xe9\r\n\n\n"
        write(folder, LESSON, data)

        (state,) = scan(folder).files.values()

        assert (state.hash, state.size) == (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))

    def test_of_an_empty_file(self, folder: Path) -> None:
        write(folder, LESSON, b"")

        (state,) = scan(folder).files.values()

        assert (state.hash, state.size) == (f"sha256:{hashlib.sha256(b'').hexdigest()}", 0)

    def test_of_a_file_larger_than_a_chunk(self, folder: Path) -> None:
        data = os.urandom(3_000_001)
        write(folder, "videos/x.mp4", data)

        (state,) = scan(folder).files.values()

        assert state.hash == f"sha256:{hashlib.sha256(data).hexdigest()}"


class TestIsContent:
    """Four cases."""

    def test_markdown_is(self) -> None:
        assert is_content("a.md") and is_content("A.MD") and is_content("a.summary.md")

    @pytest.mark.parametrize(
        "name", ["a.png", "a.jpg", "a.jpeg", "a.gif", "a.svg", "a.webp", "a.mp4", "a.mp3", "a.PDF"]
    )
    def test_assets_are(self, name: str) -> None:
        assert is_content(name)

    @pytest.mark.parametrize("name", ["a.txt", "a.py", "a", "md", "a.md~", "a.md.bak", ".DS_Store"])
    def test_others_are_not(self, name: str) -> None:
        assert not is_content(name)

    def test_a_readme_is_and_goes_nowhere(self, folder: Path) -> None:
        write(folder, "README.md")

        assert content_type("README.md") == "readme"
        assert [one.source for one in scan(folder).skipped] == ["README.md"]
        assert scan(folder).invalid == ()


class TestFolders:
    """Four cases: what is not looked into."""

    @pytest.mark.parametrize("name", [".git", ".hidden", ".docusaurus", "__pycache__", "node_modules", "build", "dist"])
    def test_is_left_out(self, folder: Path, name: str) -> None:
        write(folder, f"{name}/{LESSON}")
        write(folder, f"Part-01/Chapter-01/{name}/a.png")

        assert scan(folder, profile="preserve").files == {}

    @pytest.mark.parametrize("name", ["builds", "distance", "Part-01", "src"])
    def test_is_not_left_out_for_a_name_that_is_like_it(self, folder: Path, name: str) -> None:
        write(folder, f"{name}/a.md")

        assert set(scan(folder, profile="preserve").files) == {f"content/{name}/a.md"}

    def test_a_hidden_file_is_content_if_it_looks_like_it(self, folder: Path) -> None:
        write(folder, ".draft.md")

        assert set(scan(folder, profile="preserve").files) == {"content/.draft.md"}

    def test_gitignore_is_heeded(self, folder: Path) -> None:
        write(folder, ".gitignore", b"drafts/\n*.mp4\n")
        write(folder, "drafts/a.md")
        write(folder, "a.mp4")
        write(folder, "b.md")

        assert set(scan(folder, profile="preserve").files) == {"content/b.md"}


class TestScan:
    """Six cases, filters by type (three), valid ones (two)."""

    def test_a_book(self, folder: Path) -> None:
        """W1-02: of a book of 1,200 lessons 1,440 files go somewhere, 4,832,622 bytes, and 133 nowhere."""
        assert make_book().make(folder) == 1440

        source = scan(folder)

        assert (len(source.files), len(source.skipped), len(source.invalid)) == (1440, 133, 1)
        assert source.size == 4_832_622
        assert source.invalid[0].source == "Part-01/01-orphan.md"
        assert not any(".git" in path or "node_modules" in path for path in source.origin.values())
        kinds = [content_type(path) for path in source.files]
        assert (kinds.count("markdown"), kinds.count("summary"), kinds.count("asset")) == (1200, 120, 120)

    def test_an_empty_folder(self, folder: Path) -> None:
        source = scan(folder)

        assert (source.files, source.skipped, source.size) == ({}, (), 0)

    def test_a_folder_that_is_not_there(self, folder: Path) -> None:
        with pytest.raises(UsageError, match="does not exist"):
            scan(folder / "nowhere")

    def test_a_file_in_place_of_the_folder(self, folder: Path) -> None:
        with pytest.raises(UsageError, match="not a directory"):
            scan(write(folder, "a.md"))

    def test_a_file_that_cannot_be_read_is_named_and_nothing_is_ingested(self, folder: Path) -> None:
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
        write(folder, LESSON).chmod(0)

        with pytest.raises(UnreadableFile, match="01-x.md"):
            scan(folder)

    def test_a_symlink_goes_nowhere_and_is_named(self, folder: Path) -> None:
        write(folder, "real.md")
        (folder / "link.md").symlink_to("/etc/passwd")

        source = scan(folder, profile="preserve")

        assert set(source.files) == {"content/real.md"}
        assert [(one.source, one.code) for one in source.invalid] == [("link.md", "INVALID_PATH")]

    def test_where_each_file_comes_from_is_known(self, folder: Path) -> None:
        write(folder, LESSON)

        assert scan(folder).origin == {"content/01-Part/01-Chapter/01-x.md": LESSON}

    def test_the_x_bit_makes_no_difference(self, folder: Path) -> None:
        path = write(folder, LESSON)
        plain = scan(folder).files
        path.chmod(0o755)

        assert scan(folder).files == plain

    def test_what_was_read_once_is_not_read_again(self, folder: Path) -> None:
        path = write(folder, LESSON)
        os.utime(path, (1_700_000_000, 1_700_000_000))
        given = settings(folder)
        scan(folder, remember=True)
        assert (state_folder(folder, given) / STATE_FILE).exists()
        # While it has only just been written, its times prove nothing.
        until(lambda: scan(folder, remember=True).hashed == 0, what="the file to be known")

        assert scan(folder, verify=True).hashed == 1
