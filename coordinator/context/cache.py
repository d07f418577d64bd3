"""Context rules as they were read before, by content; only time depends on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from shared import atomic
from shared.context_rules.rule import ContextRule
from shared.errors import LocalError

FILE = "context-rules.msgpack"
Known = dict[str, ContextRule | None]


class _Kept(msgspec.Struct, frozen=True):
    """The file. made_from: what reading was done by; another one is forgotten."""

    made_from: list[str]
    rules: Known


class RuleCache:
    """What was read in this workspace; bodies are left out, as nobody asks for them here."""

    def __init__(self, state_dir: Path, made_from: Sequence[str]) -> None:
        self._path, self._made_from = state_dir / FILE, list(made_from)
        self._before: Known | None = None
        self._now: Known = {}

    def get(self, path: str, hash_: str, read: Callable[[], ContextRule | None]) -> ContextRule | None:
        """A rule by its path and the digest of its file; read if it is not known."""
        key = f"{path}\0{hash_}"
        if key not in self._now:
            before = self._before = self._load() if self._before is None else self._before
            if key in before:
                self._now[key] = before[key]
            else:
                rule = read()
                self._now[key] = None if rule is None else msgspec.structs.replace(rule, body="")
        return self._now[key]

    def save(self) -> str:
        """Keep what this build asked for, if it is not what was kept; a warning if that cannot be done."""
        if self._before is None or self._now.keys() == self._before.keys():
            return ""
        try:
            data = msgspec.msgpack.encode(_Kept(self._made_from, self._now))
            atomic.write_atomic(self._path, data, durable=False)
        except LocalError as error:
            return f"the context rules that were read are not remembered: {error.what}"
        self._before = dict(self._now)
        return ""

    def _load(self) -> Known:
        try:
            kept = msgspec.msgpack.decode(self._path.read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError):
            return {}  # not there, or of another version: they are read again
        return kept.rules if kept.made_from == self._made_from else {}
