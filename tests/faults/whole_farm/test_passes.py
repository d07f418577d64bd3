"""A build on a farm whose sources change under it: what workers still run of the pass before is of other sources."""

from __future__ import annotations

import pytest

from tests.faults.farm import Farm, rests
from tests.faults.site import Site
from tests.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.live, pytest.mark.timeout(150)]

RULES = """\
[project]
name = "{name}"

[toolchain]
fingerprint = "faults"

[[rule]]
name = "slow"
inputs = ["a.txt"]
command = "echo slow >> {log}; while [ -e {gates}/slow-$(cat a.txt) ]; do sleep 0.02; done; cp a.txt out/slow"
outputs = ["out/slow"]

[[rule]]
name = "quick"
inputs = ["c.txt"]
command = "echo quick >> {log}; while [ -e {gates}/quick ]; do sleep 0.02; done; cp c.txt out/quick"
outputs = ["out/quick"]

[[rule]]
name = "late"
inputs = ["out/quick", "b.txt"]
command = "cat out/quick b.txt > out/late"
outputs = ["out/late"]
"""


def test_what_a_worker_still_runs_of_the_pass_before_is_no_result_of_this_one(farm: Farm, site: Site) -> None:
    (site.tree / "windrow.toml").write_text(RULES.format(name=site.name, log=site.log, gates=site.gates))
    for name in "abc":
        (site.tree / f"{name}.txt").write_text(f"{name}-old")
    site.hold("slow-a-old", "slow-a-new", "quick")
    running = site.start()
    site.await_begun("slow")
    site.await_begun("quick")

    for name in "ab":
        (site.tree / f"{name}.txt").write_text(f"{name}-new")
    site.let_go("quick")
    until(lambda: "looking again" in running.text(), what="the next pass")
    # The first run is at its end: it was killed, or goes on and has something to tell.
    site.let_go("slow-a-old")
    until(lambda: len(site.shells("slow")) <= 1, what="the end of the first run")
    site.let_go()
    built = running.wait()

    assert built.code == 0, built.output
    assert {name: (site.tree / "out" / name).read_text() for name in ("slow", "late")} == {
        "slow": "a-new",
        "late": "c-oldb-new",
    }
    assert site.build().began == ()
    rests(farm)
