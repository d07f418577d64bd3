"""What somebody may have meant by a name that there is not. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

_NEAR = 3  # as many letters may be wrong in a name that is offered instead
_OFFERED = 5000  # as many names are compared before nothing is offered


def near(name: str, names: Iterable[str]) -> str:
    """The name that is nearest to one that there is not; empty if none is near."""
    best, distance = "", _NEAR + 1
    for other in islice((one for one in names if abs(len(one) - len(name)) <= _NEAR), _OFFERED):
        found = _distance(name, other, distance)
        if found < distance:
            best, distance = other, found
    return best


def _distance(one: str, other: str, limit: int) -> int:
    """How many letters to change, add or take away; at least `limit` if not fewer."""
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        before, row = row, [place]
        for column, another in enumerate(other):
            row.append(min(before[column] + (letter != another), before[column + 1] + 1, row[column] + 1))
        if min(row) >= limit:
            return limit
    return row[-1]
