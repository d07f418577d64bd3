"""GitTree: what a commit holds, compared with the working copy by content; the index and its times have no say."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec

from shared import hashing, toolchain
from shared.errors import ToolMissing, UnknownTarget, named
from shared.model.file import FileState, Mode
from shared.model.path import is_normal

_MODES: dict[str, Mode] = {"100644": "file", "100664": "file", "100755": "exec", "120000": "link"}
_SHA1 = 40  # digits; a repository may use SHA-256 instead


class GitTree:
    """A commit, as far as it lies in one folder. ToolMissing without git, UnknownTarget for a ref that is no commit."""

    def __init__(self, root: Path, ref: str, path: str) -> None:
        if toolchain.which("git", path) is None:
            raise ToolMissing("tool git is not on this machine", at="git", fix="name a revision of Windrow's instead")
        self._root, self._path = root, path
        commit = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        if commit is None:
            raise UnknownTarget(
                f"no revision and no git commit '{ref}'",
                at=str(root),
                fix="rev-0001, a branch, a tag or a commit; `windrow builds` and `git log` list them",
            )
        self.commit = commit.decode().strip()
        self._listed = self._git("ls-tree", "-r", "-z", self.commit) or b""

    def states(self, now: dict[str, FileState]) -> tuple[dict[str, FileState], dict[str, bytes]]:
        """What the commit's files are, and the bytes of those that the working copy (`now`) has otherwise.

        Files that are there and that nobody counts among the sources are left out here too.
        """
        states: dict[str, FileState] = {}
        wanted: list[tuple[str, str, Mode]] = []
        for line in self._listed.split(b"\0"):
            if not line:
                continue
            head, _, name = line.partition(b"\t")
            git_mode, kind, oid = head.decode().split()
            path = os.fsdecode(name)
            mode = _MODES.get(git_mode)
            if kind != "blob" or mode is None or not is_normal(path):
                continue
            state = now.get(path)
            if state is None and os.path.lexists(self._root / path):
                continue
            if state is not None and state.mode == mode and self._oid(path, mode, len(oid)) == oid:
                states[path] = state
            else:
                wanted.append((path, oid, mode))
        fetched, contents = self._fetched(wanted, now)
        return states | fetched, contents

    def ignored(self, paths: Iterable[str]) -> set[str]:
        """Those of the paths that git ignores."""
        asked = b"".join(os.fsencode(path) + b"\0" for path in paths)
        told = self._git("check-ignore", "--no-index", "-z", "--stdin", given=asked) if asked else None
        return {os.fsdecode(path) for path in (told or b"").split(b"\0") if path}

    def _fetched(
        self, wanted: list[tuple[str, str, Mode]], now: dict[str, FileState]
    ) -> tuple[dict[str, FileState], dict[str, bytes]]:
        """Files of the commit by path, object and mode: what they are, and their bytes by digest."""
        contents: dict[str, bytes] = {}
        asked = "".join(f"{oid}\n" for _, oid, _ in wanted).encode()
        told = (self._git("cat-file", "--batch", given=asked) or b"") if wanted else b""
        states: dict[str, FileState] = {}
        at = 0
        for path, _, mode in wanted:
            end = told.index(b"\n", at)
            size = int(told[at:end].split()[2])
            data = told[end + 1 : end + 1 + size]
            at = end + 1 + size + 1
            hash_ = hashing.of_bytes(data)
            contents[hash_] = data
            known = now.get(path)
            fields = {"hash": hash_, "size": size, "mode": mode}
            states[path] = msgspec.structs.replace(known, **fields) if known else FileState(**fields)  # type: ignore[arg-type]
        return states, contents

    def _oid(self, path: str, mode: Mode, digits: int) -> str:
        where = self._root / path
        try:
            data = os.fsencode(where.readlink()) if mode == "link" else where.read_bytes()
        except OSError as error:
            raise named(error, where, "reading") from error
        digest = hashlib.sha1(usedforsecurity=False) if digits == _SHA1 else hashlib.sha256()
        digest.update(b"blob %d\0" % len(data))
        digest.update(data)
        return digest.hexdigest()

    def _git(self, *words: str, given: bytes | None = None) -> bytes | None:
        done = subprocess.run(
            ["git", "--no-optional-locks", *words],  # noqa: S607 - as its user's PATH has it
            cwd=self._root,
            env={"PATH": self._path, "HOME": os.environ.get("HOME", ""), "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
            input=given if given is not None else b"",
            capture_output=True,
            check=False,
        )
        return done.stdout if done.returncode == 0 else None
