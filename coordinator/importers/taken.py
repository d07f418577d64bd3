"""Variables that jobs take over from the environment of who builds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.errors import GraphError


def taken(names: Iterable[str], environ: Mapping[str, str], *, at: str, whose: str) -> dict[str, str | None]:
    """Their values, None for one that is not set; GraphError for one that cannot be told to a worker."""
    found: dict[str, str | None] = {}
    for name in names:
        value = found[name] = environ.get(name)
        try:
            (value or "").encode()
        except UnicodeEncodeError as error:
            raise GraphError(
                f"environment variable {name} is not UTF-8", at=at, why=f"{whose} takes it over"
            ) from error
    return found
