"""Orders that succeed: what is stored, what counts as read, what is reused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psutil
import pytest

from shared import hashing
from shared.keys import body_of, key_after_run, trace_key
from shared.model.job import JobOrder, JobOutcome
from shared.storage.caching import CachingBlobs
from shared.storage.disk import DiskBlobs
from tests.fakes.clock import FakeClock
from tests.unit.workers.perform.farm import COMPILE, HELLO, Farm, compiled, hello
from tests.waiting import until
from workers.perform import Worker
from workers.workshop import Workshop


def test_a_compile_stores_its_object_and_what_it_read(farm: Farm) -> None:
    hello(farm)

    outcome = compiled(farm)

    assert outcome.status == "executed", outcome
    result = outcome.result
    assert result is not None
    assert [output.path for output in result.outputs] == ["out/hello.o"]
    assert farm.blobs.get(result.outputs[0].hash).startswith(b"\x7fELF")
    assert result.trace is not None
    assert result.trace.used == ("inc/greet.h", "inc/text.h")
    assert result.trace.probes == ("greet.h", "stdio.h", "text.h")
    assert farm.results.stored[result.key] == result
    action = farm.action(*COMPILE, outputs=("out/hello.o",), depfile="out/hello.d", primary=("src/hello.c",))
    assert result.key == key_after_run(action, result.trace)
    where = trace_key(body_of(action), [farm.files["src/hello.c"]])
    assert farm.results.traces(where) == (result.trace,)


def test_a_full_depfile_adds_the_names_of_system_headers(farm: Farm) -> None:
    hello(farm)

    outcome = compiled(farm, *(word.replace("-MMD", "-MD") for word in COMPILE))

    assert outcome.result is not None
    assert outcome.result.trace is not None
    assert {"stdio.h", "features.h", "greet.h"} <= set(outcome.result.trace.probes)


def test_the_same_work_again_is_reused_without_running(farm: Farm) -> None:
    farm.write("in", "b\na\n")

    first = farm.run("sort", "in", "-o", "out")
    second = farm.run("sort", "in", "-o", "out")

    assert (first.status, second.status) == ("executed", "reused")
    assert first.result == second.result


@pytest.mark.parametrize(
    ("ago", "attempt", "status"),
    [(9.5, 1, "executed"), (10.5, 1, "reused"), (-3600.0, 1, "reused"), (0.5, 2, "reused")],
    ids=["a moment ago", "a while ago", "by a clock that is ahead", "and sent again since"],
)
def test_a_result_that_the_coordinator_just_missed_is_not_looked_for(
    tmp_path: Path, ago: float, attempt: int, status: str
) -> None:
    clock = FakeClock()
    farm = Farm(tmp_path, clock=clock)
    try:
        farm.write("in", "b\na\n")
        order = JobOrder("b1", "job", 1, farm.action("sort", "in", "-o", "out"), 30.0)
        farm.worker.perform(order)

        again = msgspec.structs.replace(order, attempt=attempt, looked=clock.now() - ago)
        assert farm.worker.perform(again).status == status
    finally:
        farm.worker.close()


def test_the_next_command_runs_while_what_one_made_is_stored(tmp_path: Path) -> None:
    farm = Farm(tmp_path, slots=1)
    farm.blobs.gate.clear()
    ran: list[str] = []

    def perform(name: str) -> JobOutcome:
        order = JobOrder("b1", name, 1, farm.action("sh", "-c", f"echo {name} > out"), 30.0)
        return farm.worker.perform(order, lambda: ran.append(name))

    try:
        with ThreadPoolExecutor(2) as pool:
            outcomes = [pool.submit(perform, name) for name in ("one", "two")]
            until(lambda: len(farm.blobs.storing) == 2, what="both to be stored on the one slot")
            assert sorted(ran) == ["one", "two"]
            assert not any(outcome.done() for outcome in outcomes)
            farm.blobs.gate.set()
        assert [outcome.result().status for outcome in outcomes] == ["executed", "executed"]
    finally:
        farm.blobs.gate.set()
        farm.worker.close()


@pytest.mark.parametrize(("again", "sent"), [(False, 1), (True, 2)])
def test_what_the_store_is_known_to_have_is_sent_only_to_mend_it(tmp_path: Path, again: bool, sent: int) -> None:  # noqa: FBT001
    farm = Farm(tmp_path)
    cached = CachingBlobs(farm.blobs, DiskBlobs(tmp_path / "cache"))
    worker = Worker(Workshop(cached, farm.results, name="w2", sandbox_root=tmp_path / "w2", slots=1, clock=farm.clock))
    order = JobOrder("b1", "job", 1, farm.action("sh", "-c", "echo same > out"), 30.0, no_cache=True)

    try:
        outcomes = [worker.perform(one) for one in (order, msgspec.structs.replace(order, again=again))]
    finally:
        worker.close()
        farm.worker.close()

    assert [outcome.status for outcome in outcomes] == ["executed", "executed"]
    assert len(farm.blobs.storing) == sent


@pytest.mark.parametrize("elsewhere", [True, False])
def test_small_outputs_go_along_with_word_of_them_to_another_process(tmp_path: Path, elsewhere: bool) -> None:  # noqa: FBT001
    farm = Farm(tmp_path, elsewhere=elsewhere)
    try:
        outcome = farm.run("sh", "-c", "echo small > a; head -c 100000 /dev/zero > b", outputs=("a", "b"))
    finally:
        farm.worker.close()

    assert outcome.status == "executed"
    assert outcome.carried == ({hashing.of_bytes(b"small\n"): b"small\n"} if elsewhere else {})


def test_a_folder_that_headers_are_looked_for_in_is_there_though_it_is_empty(farm: Farm) -> None:
    farm.write("a.c", "int a;\n")

    outcome = farm.run("gcc", "-Werror=missing-include-dirs", "-Igenerated/include", "-c", "a.c", "-o", "out")

    assert outcome.status == "executed", outcome.stderr.text


def test_an_order_may_bring_what_the_store_does_not_have_yet(farm: Farm) -> None:
    farm.write("in", "b\na\n")
    carried = {item.hash: farm.blobs.get(item.hash) for item in farm.files.values()}
    for hash_ in carried:
        farm.blobs.delete(hash_)

    order = JobOrder("b1", "job", 1, farm.action("sort", "in", "-o", "out"), 30.0, carried=carried)

    assert farm.worker.perform(order).status == "executed"


def test_supervisors_can_be_there_before_the_first_command(farm: Farm) -> None:
    before = len(psutil.Process().children())

    farm.worker.prepare()

    assert len(psutil.Process().children()) == before + 2
    assert farm.run("sh", "-c", "echo > out").status == "executed"


def test_a_result_whose_blob_is_gone_is_made_again(farm: Farm) -> None:
    farm.write("in", "b\na\n")
    first = farm.run("sort", "in", "-o", "out")
    assert first.result is not None
    farm.blobs.delete(first.result.outputs[0].hash)

    assert farm.run("sort", "in", "-o", "out").status == "executed"
    assert farm.blobs.get(first.result.outputs[0].hash) == b"a\nb\n"


def test_outputs_keep_their_executable_bit(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "echo > a; echo > b; chmod +x b", outputs=("a", "b"))

    assert outcome.result is not None
    assert [output.mode for output in outcome.result.outputs] == ["file", "exec"]


def test_long_logs_become_blobs_and_short_ones_travel_along(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "touch out; head -c 5000 /dev/zero; printf 'a\\377b' >&2")

    assert outcome.result is not None
    assert outcome.stdout.text == ""
    assert outcome.stdout.size == 5000
    assert farm.blobs.get(outcome.stdout.hash) == bytes(5000)
    assert outcome.stderr.text == "a\ufffdb"
    assert outcome.result.stdout == outcome.stdout


def test_a_flood_is_counted_not_kept(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "touch out; head -c 9000000 /dev/zero")

    assert outcome.status == "executed"
    assert 8 << 20 < outcome.stdout.size < (8 << 20) + 100
    assert outcome.stdout.cut == 9_000_000 - (8 << 20)


def test_files_the_command_names_count_as_read(farm: Farm) -> None:
    hello(farm)
    farm.write("flags.rsp", "-include inc/unused.h")
    farm.write("tools/cc.sh", '#!/bin/sh\nexec gcc "$@"\n', executable=True)

    outcome = compiled(farm, "sh", "tools/cc.sh", "@flags.rsp", *COMPILE[1:])

    assert outcome.result is not None, outcome
    assert outcome.result.trace is not None
    assert {"flags.rsp", "tools/cc.sh", "inc/unused.h"} <= set(outcome.result.trace.used)
    assert outcome.result.trace.probes == ("*",)


def test_what_the_assembler_includes_counts_as_read(farm: Farm) -> None:
    hello(farm)
    farm.write("data/logo.bin", "logo")
    farm.write("src/hello.c", HELLO + 'asm(".incbin \\"data/logo.bin\\"");\n')

    outcome = compiled(farm)

    assert outcome.result is not None, outcome
    assert outcome.result.trace is not None
    assert "data/logo.bin" in outcome.result.trace.used


def test_a_header_behind_a_symlink_counts_with_the_symlink(farm: Farm) -> None:
    hello(farm)
    farm.write("real/greet.h", '#include "text.h"\n')
    farm.link("inc/greet.h", "../real/greet.h")

    outcome = compiled(farm)

    assert outcome.result is not None, outcome
    assert outcome.result.trace is not None
    assert {"inc/greet.h", "real/greet.h"} <= set(outcome.result.trace.used)


def test_without_cache_it_runs_again_and_tells_when_bytes_differ(farm: Farm) -> None:
    first = farm.run("sh", "-c", "date +%N > out")
    again = farm.run("sh", "-c", "date +%N > out", no_cache=True)
    steady = farm.run("sh", "-c", "echo > steady", outputs=("steady",))
    steady_again = farm.run("sh", "-c", "echo > steady", outputs=("steady",), no_cache=True)

    assert again.status == "executed"
    assert "not deterministic" in again.message
    assert "out" in again.message
    assert first.result is not None
    assert again.result is not None
    assert farm.results.stored[first.result.key] == again.result
    assert (steady.message, steady_again.message, steady_again.status) == ("", "", "executed")
