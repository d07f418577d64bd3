"""A blueprint as it was read: inputs, loops, producers, and what each reads and makes. Pure values."""

from __future__ import annotations

from typing import Any

import msgspec

EVERY = "*"


class Ref(msgspec.Struct, frozen=True):
    """`Image[segment][*]`: a name, and for each of its loops the loop's name or `*` for every turn of it."""

    name: str
    indices: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name + "".join(f"[{index}]" for index in self.indices)


class InputDecl(msgspec.Struct, frozen=True):
    """An input: a value, or (file) a file of the project. default: what it is when nothing is given."""

    name: str
    at: str
    file: str = ""
    default: Any = None
    optional: bool = False


class LoopDecl(msgspec.Struct, frozen=True):
    """A loop: as many turns as an input says (or a number), within each turn of its parent."""

    name: str
    count: str | int
    at: str
    parent: str = ""


class Made(msgspec.Struct, frozen=True):
    """An artefact that a producer makes: for every turn of those of its loops that the producer is not run for."""

    ref: Ref
    type: str
    at: str


class ProducerDecl(msgspec.Struct, frozen=True):
    """A producer: run once for every turn of `each`. config: handed to the call as it is. cost: of one job."""

    name: str
    call: str
    at: str
    each: tuple[str, ...] = ()
    reads: tuple[tuple[Ref, str], ...] = ()
    makes: tuple[Made, ...] = ()
    config: dict[str, Any] = {}
    rate: str = ""
    cost: float = 0.0
    timeout: float = 0.0


class Blueprint(msgspec.Struct, frozen=True):
    """A whole blueprint. rates: how many jobs of a rate key may run at once."""

    name: str
    inputs: dict[str, InputDecl]
    loops: dict[str, LoopDecl]
    producers: dict[str, ProducerDecl]
    rates: dict[str, int] = {}
    description: str = ""


class Values(msgspec.Struct, frozen=True):
    """What the inputs of a blueprint were given: value by name. at: where each was read."""

    values: dict[str, Any]
    at: dict[str, str] = {}
