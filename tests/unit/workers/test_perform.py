"""A worker performs orders from start to finish, with real compilers in real sandboxes."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psutil
import pytest

from shared import hashing
from shared.clock import SystemClock
from shared.errors import LocalError, StoreUnavailable
from shared.keys import body_of, key_after_run, trace_key
from shared.model.action import Action, Input
from shared.model.job import JobOrder, JobOutcome
from shared.storage.memory import MemoryBlobs
from tests.fakes.clock import FakeClock
from tests.fakes.results import DictResults
from tests.waiting import until
from workers.perform import Worker

HELLO = '#include <stdio.h>\n#include "greet.h"\nint main(void) { puts(GREETING); return 0; }\n'
COMPILE = ("gcc", "-Iinc", "-MMD", "-MF", "out/hello.d", "-c", "src/hello.c", "-o", "out/hello.o")


class FlakyBlobs(MemoryBlobs):
    """Fails the first so many calls that move bytes."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.failures = failures
        self.storing: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def _trip(self) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise StoreUnavailable("the bucket is away")

    def fetch(self, hash_: str, path: Path, *, executable: bool = False) -> int:
        if self.failures > 0:
            path.write_bytes(b"half")
        self._trip()
        return super().fetch(hash_, path, executable=executable)

    def put_file(self, hash_: str, path: Path) -> int:
        self._trip()
        self.storing.append(hash_)
        assert self.gate.wait(20)
        return super().put_file(hash_, path)


class Farm:
    """A worker with stores of its own, and the files of a tree."""

    def __init__(self, root: Path, *, slots: int = 2, clock: FakeClock | None = None, elsewhere: bool = False) -> None:
        self.root = root
        self.blobs = FlakyBlobs()
        self.results = DictResults(self.blobs)
        self.clock = clock or SystemClock()
        self.worker = Worker(
            self.blobs, self.results, name="w1", sandbox_root=root / "sandboxes", slots=slots, clock=self.clock,
            elsewhere=elsewhere,
        )  # fmt: skip
        self.files: dict[str, Input] = {}
        self.links: dict[str, str] = {}

    def write(self, path: str, text: str, *, executable: bool = False) -> None:
        data = text.encode()
        hash_ = hashing.of_bytes(data)
        self.blobs.put(hash_, data)
        self.files[path] = Input(path, hash_, len(data), "exec" if executable else "file")

    def link(self, path: str, target: str) -> None:
        self.links[path] = target
        self.files[path] = Input(path, hashing.of_bytes(target.encode()), len(target), "link")

    def action(
        self,
        *argv: str,
        outputs: tuple[str, ...] = ("out",),
        depfile: str | None = None,
        primary: tuple[str, ...] | None = None,
        env: tuple[tuple[str, str | None], ...] = (),
    ) -> Action:
        inputs = tuple(sorted(self.files.values()))
        own = primary if primary is not None else tuple(item.path for item in inputs)
        return Action("command", argv, env, outputs, depfile, "test", inputs, own, links=dict(self.links))

    def run(self, *argv: str, no_cache: bool = False, timeout: float = 30.0, **about: object) -> JobOutcome:
        action = self.action(*argv, **about)  # type: ignore[arg-type]
        return self.worker.perform(JobOrder("b1", "job", 1, action, timeout, no_cache))

    def text(self, hash_: str) -> str:
        return self.blobs.get(hash_).decode()


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    farm = Farm(tmp_path)
    yield farm
    farm.worker.close()
    left = tmp_path / "sandboxes"
    assert not left.exists() or list(left.iterdir()) == []


def hello(farm: Farm) -> None:
    farm.write("src/hello.c", HELLO)
    farm.write("inc/greet.h", '#include "text.h"\n')
    farm.write("inc/text.h", '#define GREETING "hi"\n')
    farm.write("inc/unused.h", "")


def compiled(farm: Farm, *argv: str, **about: object) -> JobOutcome:
    return farm.run(
        *(argv or COMPILE), outputs=("out/hello.o",), depfile="out/hello.d", primary=("src/hello.c",), **about
    )


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


def test_a_header_that_was_not_given_is_named(farm: Farm) -> None:
    hello(farm)
    del farm.files["inc/text.h"]

    outcome = compiled(farm)

    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert "text.h" in outcome.wanted
    assert "inc/greet.h" not in outcome.wanted
    assert "fatal error" in outcome.stderr.text


def test_a_script_that_was_not_given_is_named_by_its_place_in_the_tree(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "python3 $PWD/tools/gen.py out")

    assert outcome.status == "failed"
    assert outcome.wanted == ("tools/gen.py",)


def test_a_program_of_the_tree_that_was_not_given_is_named(farm: Farm) -> None:
    outcome = farm.run("./tools/gen.sh", "out")

    assert (outcome.exit_code, outcome.wanted) == (127, ("tools/gen.sh",))


def test_a_long_output_does_not_hide_what_was_missing(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "cat tools/x.txt; yes | head -c 200000; exit 1")

    assert outcome.wanted == ("tools/x.txt",)


BROKEN = {
    "missing": (":", "did not write its declared output out"),
    "undeclared": ("touch out extra", "does not declare: extra"),
    "both": ("touch elsewhere", "did not write.*does not declare: elsewhere"),
    "symlink": ("ln -s /etc/passwd out", "is a symlink"),
    "directory": ("mkdir out", "is a directory"),
    "pipe": ("mkfifo out", "is a named pipe"),
    "setuid": ("touch out; chmod 4755 out", "setuid"),
    "hard link": ("touch $TMPDIR/x; ln $TMPDIR/x out", "another hard link"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_command_that_breaks_its_promise_fails(farm: Farm, kind: str) -> None:
    script, message = BROKEN[kind]

    outcome = farm.run("sh", "-c", script)

    assert outcome.status == "failed"
    assert outcome.exit_code == 0
    assert re.search(message, outcome.message), outcome.message
    assert farm.results.stored == {}


def test_a_depfile_that_was_not_written_fails_the_job(farm: Farm) -> None:
    outcome = farm.run("touch", "out", depfile="out.d")

    assert outcome.status == "failed"
    assert "did not write its depfile out.d" in outcome.message


def test_a_failed_command_stores_nothing_even_if_it_wrote_its_outputs(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "echo half > out; echo why >&2; exit 3")

    assert (outcome.status, outcome.exit_code, outcome.message) == ("failed", 3, "exit code 3")
    assert outcome.stderr.text == "why\n"
    assert farm.results.stored == {}
    assert hashing.of_bytes(b"half\n") not in farm.blobs.contents


def test_a_killed_command_names_its_signal(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "kill -SEGV $$")

    assert (outcome.status, outcome.exit_code, outcome.message) == ("failed", 139, "killed by SIGSEGV")


def test_a_command_past_its_time_limit_fails(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "echo begun; sleep 60", timeout=0.3)

    assert (outcome.status, outcome.exit_code) == ("failed", 124)
    assert "time limit of 0.3 s" in outcome.message
    assert outcome.stdout.text == "begun\n"


def test_a_tool_that_is_not_there_is_named(farm: Farm) -> None:
    farm.write("plain", "#!/bin/sh\n")

    missing = farm.run("no-such-tool", "x")
    refused = farm.run("./plain")

    assert (missing.status, missing.exit_code, missing.message) == ("failed", 127, "no-such-tool: not found")
    assert (refused.status, refused.exit_code) == ("failed", 126)


def test_a_command_sees_nothing_of_the_worker(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_SECRET", "tweet")
    (farm.root / "neighbour").write_text("")

    outcome = farm.run("sh", "-c", "env > out; ls -a >> out", env=(("LANG", "C"), ("EMPTY", "")))

    assert outcome.result is not None
    seen = farm.text(outcome.result.outputs[0].hash)
    assert "CANARY" not in seen
    assert "LANG=C\n" in seen
    assert "EMPTY=\n" in seen
    assert "HOME=" not in seen
    assert seen.endswith(".\n..\nout\n")


def test_a_path_of_the_action_is_where_its_tools_come_from(farm: Farm) -> None:
    farm.write("bin/mytool", "#!/bin/sh\necho mine > out\n", executable=True)

    assert farm.run("mytool", env=(("PATH", "bin:/usr/bin:/bin"),)).status == "executed"
    assert farm.run("mytool").exit_code == 127


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


def test_logs_do_not_tell_where_the_job_ran(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "echo in $PWD at $PWD/x/y; touch out")

    assert outcome.stdout.text == "in . at x/y\n"


def test_debug_information_does_not_tell_where_the_job_ran(farm: Farm, tmp_path: Path) -> None:
    other = Farm(tmp_path / "another place")
    digests = set()

    for one in (farm, other):
        hello(one)
        for argv in (("gcc", "-g", *COMPILE[1:]), ("sh", "-c", "gcc -g " + " ".join(COMPILE[1:]))):
            outcome = compiled(one, *argv)
            assert outcome.result is not None
            digests.add(outcome.result.outputs[0].hash)
    other.worker.close()

    assert len(digests) == 1


def test_temporary_files_have_a_place_that_goes_away(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "f=$(mktemp) && echo x > $f && cp $f out && echo $f")

    assert outcome.status == "executed"
    assert str(farm.root) in outcome.stdout.text
    until(lambda: not Path(outcome.stdout.text.strip()).exists())


def test_python_leaves_no_byte_code_behind(farm: Farm) -> None:
    farm.write("tools/helper.py", "TEXT = 'x'\n")
    farm.write("tools/gen.py", "import helper, sys\nopen(sys.argv[1], 'w').write(helper.TEXT)\n")

    assert farm.run("python3", "tools/gen.py", "out").status == "executed"


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


def test_a_command_that_changes_what_it_reads_changes_only_its_copy(farm: Farm) -> None:
    hello(farm)
    script = f"{' '.join(COMPILE)} && echo '#include MACRO' > inc/greet.h && rm src/hello.c && mkfifo src/hello.c"

    outcome = compiled(farm, "sh", "-c", script)

    assert outcome.result is not None, outcome
    assert outcome.result.trace is not None
    assert outcome.result.trace.probes == ("greet.h", "stdio.h", "text.h")
    assert compiled(farm).status == "executed"


def test_missing_and_damaged_inputs_are_all_named(farm: Farm) -> None:
    for name in "abc":
        farm.write(name, name)
    farm.blobs.delete(farm.files["a"].hash)
    farm.blobs.contents[farm.files["c"].hash] = b"bit rot"

    outcome = farm.run("true")

    assert outcome.status == "missing"
    assert set(outcome.missing) == {farm.files["a"].hash, farm.files["c"].hash}


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


def test_a_store_that_is_away_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    clock = FakeClock()
    farm = Farm(tmp_path, clock=clock)
    farm.write("a", "a")
    farm.write("b", "b")
    farm.blobs.failures = 3

    outcome = farm.run("sh", "-c", "cat a b > out")

    farm.worker.close()
    assert outcome.status == "executed"
    assert outcome.result is not None
    assert farm.text(outcome.result.outputs[0].hash) == "ab"
    assert clock.slept == [0.2, 1.0, 3.0]


def test_a_store_that_stays_away_is_an_error(tmp_path: Path) -> None:
    farm = Farm(tmp_path, clock=FakeClock())
    farm.write("a", "a")
    farm.blobs.failures = 100

    with pytest.raises(StoreUnavailable):
        farm.run("true")

    farm.blobs.failures = 0
    assert farm.run("cp", "a", "out").status == "executed"
    farm.worker.close()


def test_a_sandbox_root_that_cannot_be_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "sandboxes").write_text("")
    farm = Farm(tmp_path)

    with pytest.raises(LocalError) as caught:
        farm.run("true")

    assert str(tmp_path / "sandboxes") in caught.value.at
    farm.worker.close()


def test_an_action_that_would_escape_fails(farm: Farm) -> None:
    for outputs in (("../out",), ("/etc/out",), (".git/hooks/x",)):
        outcome = farm.run("touch", outputs[0], outputs=outputs)

        assert outcome.status == "failed"
        assert "not a path inside the tree" in outcome.message


def test_a_kind_nobody_knows_fails(farm: Farm) -> None:
    action = Action("teleport", (), (), (), None, "", (), ())

    outcome = farm.worker.perform(JobOrder("b", "j", 1, action, 1.0))

    assert outcome.status == "failed"
    assert "teleport" in outcome.message


def test_a_noop_starts_nothing_and_writes_nothing(farm: Farm) -> None:
    action = Action("noop", ("x",), (), ("never",), None, "", (), ())

    outcome = farm.worker.perform(JobOrder("b", "j", 1, action, 1.0))

    assert outcome.status == "executed"
    assert outcome.result is not None
    assert outcome.result.outputs == ()
    assert not (farm.root / "sandboxes").exists()
    assert farm.results.stored == {}


def test_cancelling_a_build_kills_its_jobs_and_no_others(farm: Farm) -> None:
    started = farm.root / "started"
    started.mkdir()

    def order(build: str) -> JobOrder:
        script = f"touch {started}/{build}; while [ -e {started}/{build} ]; do sleep 0.01; done; touch out"
        return JobOrder(build, build, 1, farm.action("sh", "-c", script), 30.0)

    with ThreadPoolExecutor(2) as pool:
        doomed, spared = (
            pool.submit(farm.worker.perform, order("doomed")),
            pool.submit(farm.worker.perform, order("spared")),
        )
        until(lambda: len(os.listdir(started)) == 2)

        farm.worker.cancel("doomed")
        lost = doomed.result(10)
        (started / "spared").unlink()
        done = spared.result(10)

    assert (lost.status, lost.message) == ("lost", "cancelled")
    assert done.status == "executed"


def test_cancelling_all_leaves_the_worker_ready_for_more(farm: Farm) -> None:
    mark = farm.root / "begun"

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(farm.run, "sh", "-c", f"echo >> {mark}; sleep 60; : {n}") for n in range(4)]
        until(lambda: mark.exists() and len(mark.read_text()) == 2)
        farm.worker.cancel_all()
        statuses = {one.result(10).status for one in running}

    assert statuses == {"lost"}
    assert farm.run("touch", "out").status == "executed"


def test_many_threads_share_the_slots(farm: Farm) -> None:
    farm.write("in", "x")

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: farm.run("sh", "-c", f"cat in > out; echo {n} >> out"), range(24)))

    assert {outcome.status for outcome in outcomes} == {"executed"}
    texts = [farm.text(outcome.result.outputs[0].hash) for outcome in outcomes if outcome.result]
    assert texts == [f"x{n}\n" for n in range(24)]


def test_times_and_the_worker_are_noted(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "sleep 0.05; touch out")

    assert outcome.result is not None
    assert outcome.result.timings.run >= 0.05
    assert outcome.seconds >= outcome.result.timings.run
    assert outcome.worker == outcome.result.worker == "w1"
