"""The texts that a command brings along, as the manifest keeps them: whole while short, else by digest. Pure."""

from __future__ import annotations

from functools import lru_cache

from shared import hashing

_LONG = 2048  # characters; a program that a thousand jobs bring along would fill the manifest


def noted_texts(files: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Files by path, with a digest instead of a long text."""
    return tuple((path, _noted(text)) for path, text in files) if files else files


@lru_cache(maxsize=256)
def _noted(text: str) -> str:
    # A digest is shorter than any text that needs one, so noting twice is noting once.
    return text if len(text) <= _LONG else hashing.of_bytes(text.encode("utf-8", "surrogateescape"))
