"""FileState: what is known of one file's content and kind."""

from __future__ import annotations

from typing import Literal

import msgspec

Mode = Literal["file", "exec", "link"]
Category = Literal["source", "config", "docs", "tests"]


class FileState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Content of one file: digest (of the target's text for a symlink), size in bytes, kind.

    `category` says what kind of source it is and is no part of the content.
    """

    hash: str
    size: int
    mode: Mode = "file"
    category: Category = "source"

    def same_content(self, other: FileState | None) -> bool:
        """Whether both hold the same bytes in the same kind of file."""
        return other is not None and self.hash == other.hash and self.mode == other.mode
