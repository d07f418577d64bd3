"""Stored manifests: names once, and whatever was seen to read comes back as it was."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import canonical
from shared.model.action import Trace
from shared.model.manifest import JobEntry, Manifest
from shared.model.stored_manifest import decode, encode

NAMES = st.lists(st.text(min_size=1, max_size=8), max_size=6, unique=True).map(lambda names: tuple(sorted(names)))
TRACES = st.builds(Trace, used=NAMES, probes=NAMES, tree=st.booleans(), listed=NAMES, beyond=NAMES)


def manifest(*traces: Trace | None) -> Manifest:
    jobs = {f"cc:{at}": JobEntry("cc", f"key{at}", ("cc",), (f"{at}.o",), trace=one) for at, one in enumerate(traces)}
    return Manifest("p", "main", 1, {}, jobs, {})


@given(st.lists(st.none() | TRACES, max_size=5))
def test_what_is_stored_comes_back(traces: list[Trace | None]) -> None:
    before = manifest(*traces)

    assert decode(encode(before)) == before


def test_a_name_is_stored_once_however_many_read_it() -> None:
    header = "include/a/very/long/name.h"
    data = encode(manifest(*[Trace(used=(header, "z.h"), probes=("name.h",))] * 50))

    assert data.count(header.encode()) == 1
    stored = json.loads(data)
    assert stored["names"] == [header, "name.h", "z.h"]
    assert stored["traces"]["cc:7"] == {"used": [0, 2], "probes": [1]}
    assert "trace" not in stored["jobs"]["cc:7"]


def test_encoding_leaves_the_manifest_as_it_is() -> None:
    made = manifest(Trace(used=("a.h",)))

    encode(made)

    assert made.jobs["cc:0"].trace == Trace(used=("a.h",))


def test_manifests_of_the_first_schema_are_read() -> None:
    made = manifest(Trace(used=("a.h",), probes=("a.h",)), None)
    old = msgspec.structs.replace(made, schema="windrow.manifest/1")

    assert decode(canonical.encode(old)) == made


@pytest.mark.parametrize(
    "damage",
    [
        {"traces": {"cc:0": {"used": [3]}}},
        {"traces": {"cc:0": {"used": [2, 1]}}},
        {"traces": {"cc:0": {"used": [-1]}}},
        {"traces": {"cc:0": {"used": ["a.h"]}}},
        {"traces": {"nobody": {"used": [0]}}},
        {"names": [1, 2]},
    ],
    ids=str,
)
def test_numbers_that_name_nothing_are_an_error(damage: dict[str, Any]) -> None:
    stored = json.loads(encode(manifest(Trace(used=("a", "b", "c")))))

    with pytest.raises(msgspec.ValidationError):
        decode(json.dumps({**stored, **damage}).encode())
