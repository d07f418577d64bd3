"""How a manifest is stored: the names that jobs were seen to read once, and in each trace their numbers.

Every unit of a large project reads hundreds of the same headers; spelled out they were three quarters of a manifest.
Format: docs/design/manifest.md. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from operator import sub
from typing import Annotated

import msgspec

from shared import canonical
from shared.model.action import Trace
from shared.model.manifest import MANIFEST_SCHEMA, READABLE, Manifest

# What a number is more than the one before it.
_Step = Annotated[int, msgspec.Meta(ge=0)]


class _Numbers(msgspec.Struct, frozen=True, omit_defaults=True):
    """A Trace with numbers of names."""

    used: tuple[_Step, ...] = ()
    probes: tuple[_Step, ...] = ()
    listed: tuple[_Step, ...] = ()
    tree: bool = False
    beyond: tuple[str, ...] = ()


class _Stored(Manifest, frozen=True):
    """A manifest whose jobs have their traces in `traces`."""

    names: tuple[str, ...] = ()
    traces: dict[str, _Numbers] = msgspec.field(default_factory=dict)


def encode(manifest: Manifest) -> bytes:
    """The bytes of a manifest; ValueError for a number without a canonical form."""
    traced = {id_: entry.trace for id_, entry in manifest.jobs.items() if entry.trace is not None}
    names = set[str]()
    for trace in traced.values():
        names.update(trace.used, trace.probes, trace.listed)
    table = sorted(names)
    number = {name: at for at, name in enumerate(table)}
    jobs = {
        id_: msgspec.structs.replace(entry, trace=None) if entry.trace is not None else entry
        for id_, entry in manifest.jobs.items()
    }
    traces = {
        id_: _Numbers(
            _steps(trace.used, number),
            _steps(trace.probes, number),
            _steps(trace.listed, number),
            trace.tree,
            trace.beyond,
        )
        for id_, trace in traced.items()
    }
    fields = {name: getattr(manifest, name) for name in manifest.__struct_fields__}
    return canonical.encode(_Stored(**{**fields, "jobs": jobs}, names=tuple(table), traces=traces))


def decode(data: bytes) -> Manifest:
    """The manifest that bytes are of, those of an earlier schema too; MsgspecError. A schema nobody knows stays."""
    stored = msgspec.json.decode(data, type=_Stored)
    try:
        for id_, numbers in stored.traces.items():
            # As if it had been there from the start: nobody else knows the entry yet.
            msgspec.structs.force_setattr(stored.jobs[id_], "trace", _trace(numbers, stored.names))
    except (IndexError, KeyError) as error:
        raise msgspec.ValidationError(f"a trace names what is not there: {error}") from error
    fields = {name: getattr(stored, name) for name in Manifest.__struct_fields__}
    if stored.schema in READABLE:
        fields["schema"] = MANIFEST_SCHEMA
    return Manifest(**fields)


def _steps(names: Sequence[str], number: Mapping[str, int]) -> tuple[int, ...]:
    at = sorted(map(number.__getitem__, names))
    return (*at[:1], *map(sub, at[1:], at))


def _trace(numbers: _Numbers, names: Sequence[str]) -> Trace:
    return Trace(
        used=_spelled(numbers.used, names),
        probes=_spelled(numbers.probes, names),
        tree=numbers.tree,
        listed=_spelled(numbers.listed, names),
        beyond=numbers.beyond,
    )


def _spelled(steps: Sequence[int], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(names.__getitem__, accumulate(steps)))
