"""When a swap is refused: the same words whichever store refuses it."""

from __future__ import annotations

from shared.errors import Conflict


def refuse_swap(name: str, *, current: str | None, expected: str | None, fence: int, last_fence: int) -> None:
    """Raise Conflict unless a swap may take place."""
    if fence < last_fence:
        raise outrun(name, fence, last_fence)
    if current != expected:
        raise moved(name)


def outrun(name: str, fence: int, last_fence: int) -> Conflict:
    """A holder of a newer lock was here."""
    return Conflict(
        f"{name} was replaced under a newer lock", at=name, why=f"its fence is {last_fence}, this build's is {fence}"
    )


def moved(name: str) -> Conflict:
    """Another tag stands there."""
    return Conflict(f"{name} was replaced by someone else", at=name, why="it no longer holds what this build read")
