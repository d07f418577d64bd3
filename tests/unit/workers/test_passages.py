"""Folders that a command passes through."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import hashing
from shared.model.action import ROOT, Action, Input
from shared.storage.memory import MemoryBlobs
from workers.sandbox.fetching import Fetcher
from workers.sandbox.passages import passages, searched
from workers.sandbox.sandbox import Sandbox


@pytest.mark.parametrize(
    ("word", "folders"),
    [
        ("-Isrc/../include", {"src"}),
        ("-isystemsrc/./deep/../../include", {"src", "src/deep"}),
        ("a/b/../c/../d", {"a/b", "a/c"}),
        ("cc -I 'one/..' --path=two/../x,three/../y", {"one", "two", "three"}),
        ("/usr/lib/../include", set()),
        ("../outside/../x", set()),
        ("a/../../b/../c", {"a"}),
        ("src/main.c", set()),
        ("a..b/c", set()),
    ],
)
def test_folders_left_by_dots_are_found(word: str, folders: set[str]) -> None:
    assert passages(["gcc", word]) == folders


def test_a_folder_passed_through_is_there_and_a_symlink_is_left_alone(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    link = Input("link", stored(blobs, b"real"), 4, "link")
    file = Input("real/x", stored(blobs, b"x"), 1)
    action = Action(
        kind="command",
        argv=("ls", "link/../real", "empty/../real"),
        env=(),
        outputs=("out",),
        depfile=None,
        platform="",
        inputs=(link, file),
        primary=("link", "real/x"),
        links={"link": "real"},
    )

    with Sandbox(tmp_path / "place", action) as sandbox:
        sandbox.lay_out_folders()
        Fetcher(blobs).fetch(sandbox.files(), sandbox.tree)
        sandbox.lay_out_links()

        assert (sandbox.tree / "link").is_symlink()
        assert (sandbox.tree / "empty/../real/x").is_file()
        assert sandbox.undeclared() == []


def stored(blobs: MemoryBlobs, data: bytes) -> str:
    hash_ = hashing.of_bytes(data)
    blobs.put(hash_, data)
    return hash_


@pytest.mark.parametrize(
    ("text", "folders"),
    [
        ("gcc -Igmodule -c a.c -o a.o", {"build/gmodule"}),
        ("gcc -I gmodule -iquote q -isystem../sys -idirafter late", {"build/gmodule", "build/q", "sys", "build/late"}),
        ("gcc -I. -I.. -I../.. -I/usr/include", {"build"}),
        (f"gcc -I{ROOT}/include -I{ROOT}", {"include"}),
        ("gcc '-Iwith' \"-Iquotes\" -I$HOME/x -o -Ifile", {"build/with", "build/quotes", "build/file"}),
        ("echo x-Ino --Ino", set()),
    ],
)
def test_folders_that_are_searched_for_headers_are_there(text: str, folders: set[str]) -> None:
    assert searched(["/bin/sh", "-c", text], "build") == folders
