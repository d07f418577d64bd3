"""What every Results must do. A test class gives a harness as the fixture `harness`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from shared import hashing
from shared.model.action import ActionResult, Log, Output, Trace
from shared.storage.blobs import BlobStore
from shared.storage.refs import RefStore
from shared.storage.results import Results


class ResultsHarness(NamedTuple):
    """Results to try, the stores under them, and a second view of them from another machine (or the same)."""

    results: Results
    blobs: BlobStore
    refs: RefStore
    elsewhere: Callable[[], Results]


def made(blobs: BlobStore, *, word: bytes = b"", log: bool = True) -> ActionResult:
    """A result whose blobs are stored."""
    word = word or os.urandom(8)
    output, printed = b"output " + word, b"printed " + word
    for data in (output, printed):
        blobs.put(hashing.of_bytes(data), data)
    stdout = Log(hash=hashing.of_bytes(printed), size=len(printed)) if log else Log(text="short")
    outputs = (Output("build/a.o", hashing.of_bytes(output), len(output)),)
    return ActionResult(key=hashing.of_bytes(b"key " + word), outputs=outputs, stdout=stdout, worker="w1")


class ResultsContract:
    """Inherit, and define the fixture `harness`."""

    def test_a_stored_result_is_found(self, harness: ResultsHarness) -> None:
        result = made(harness.blobs)

        harness.results.put(result)

        hit = harness.results.get(result.key)
        assert hit is not None and hit.result == result

    def test_an_unknown_key_is_a_miss(self, harness: ResultsHarness) -> None:
        assert harness.results.get(hashing.of_bytes(os.urandom(8))) is None

    def test_the_first_result_of_a_key_is_kept(self, harness: ResultsHarness) -> None:
        first = made(harness.blobs)
        second = ActionResult(key=first.key, outputs=made(harness.blobs).outputs, worker="w2")
        harness.results.put(first)

        harness.results.put(second)

        for results in (harness.results, harness.elsewhere()):
            hit = results.get(first.key)
            assert hit is not None and hit.result == first

    def test_a_result_is_replaced_on_demand(self, harness: ResultsHarness) -> None:
        first = made(harness.blobs)
        second = ActionResult(key=first.key, outputs=made(harness.blobs).outputs, worker="w2")
        harness.results.put(first)

        harness.results.put(second, replace=True)

        for results in (harness.results, harness.elsewhere()):
            hit = results.get(first.key)
            assert hit is not None and hit.result == second

    def test_a_result_of_which_a_blob_is_gone_is_a_miss(self, harness: ResultsHarness) -> None:
        for number in range(2):
            result = made(harness.blobs)
            harness.results.put(result)

            harness.blobs.delete([result.outputs[0].hash, result.stdout.hash][number])

            for results in (harness.results, harness.elsewhere()):
                assert results.get(result.key) is None

    def test_a_result_of_which_a_blob_is_gone_gives_way_to_one_that_works(self, harness: ResultsHarness) -> None:
        first = made(harness.blobs)
        harness.results.put(first)
        harness.blobs.delete(first.outputs[0].hash)
        second = ActionResult(key=first.key, outputs=made(harness.blobs).outputs)

        harness.results.put(second)

        hit = harness.elsewhere().get(first.key)
        assert hit is not None and hit.result == second

    def test_a_record_that_cannot_be_read_is_a_miss_and_is_replaced(self, harness: ResultsHarness) -> None:
        result = made(harness.blobs)
        name = f"results/{result.key[7:9]}/{result.key[7:]}"
        other = made(harness.blobs)
        for damaged in (
            b"",
            b"{",
            b"[]",
            b'{"schema": "windrow.result/2"}',
            b'{"schema":"windrow.result/2","key":"%s","outputs":[]}' % result.key.encode(),
            b'{"key":"%s","outputs":[]}' % other.key.encode(),
            b'{"key":"%s","outputs":[{"path":"a","hash":"sha256:../../x","size":1}]}' % result.key.encode(),
            os.urandom(300),
        ):
            harness.refs.write(name, damaged)

            assert harness.elsewhere().get(result.key) is None
            harness.results.put(result)
            hit = harness.elsewhere().get(result.key)
            assert hit is not None and hit.result == result

    def test_traces_are_kept_newest_first_without_doubles(self, harness: ResultsHarness) -> None:
        key = hashing.of_bytes(os.urandom(8))
        traces = [Trace(used=(f"a{number}.h",)) for number in range(10)]
        assert harness.results.traces(key) == ()

        for trace in (*traces, traces[5]):
            harness.results.add_trace(key, trace)

        expected = (traces[5], *(traces[number] for number in (9, 8, 7, 6, 4, 3, 2)))
        assert harness.results.traces(key) == expected
        assert harness.elsewhere().traces(key) == expected

    def test_traces_that_cannot_be_read_are_none_and_are_replaced(self, harness: ResultsHarness) -> None:
        key, trace = hashing.of_bytes(os.urandom(8)), Trace(used=("a.h",))
        harness.refs.write(f"results/{key[7:9]}/{key[7:]}", b'{"schema":"windrow.traces/9","traces":[]}')

        before = harness.results.traces(key)
        harness.results.add_trace(key, trace)

        assert before == ()
        assert harness.results.traces(key) == (trace,)
