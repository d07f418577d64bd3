"""The harness tells engines apart: what is known of make and ninja is what it finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.traps.engines import ENGINES
from tests.traps.table import LEFT_OUT, TRAPS, walk
from tests.traps.verdict import Verdict


@pytest.mark.parametrize(
    ("engine", "name", "verdict"),
    [
        ("ninja", "edit", Verdict.RIGHT),
        ("ninja", "touch_only", Verdict.NEEDLESS),
        ("ninja", "same_size_edit_with_restored_mtime", Verdict.STALE),
        ("ninja", "command_changed", Verdict.RIGHT),
        ("ninja", "new_header_shadows_the_one_that_was_read", Verdict.STALE),
        ("make", "edit", Verdict.RIGHT),
        ("make", "command_changed", Verdict.STALE),
        ("make", "step_writes_its_output_then_fails", Verdict.STALE),
        ("make", "header_deleted_with_its_include", Verdict.WRONG),
        ("make", "newline_in_a_command", None),
    ],
)
def test_a_known_verdict_is_found(engine: str, name: str, verdict: Verdict | None, tmp_path: Path) -> None:
    (trap,) = [trap for trap in TRAPS if trap.name == name]

    found, why = walk(ENGINES[engine], trap, tmp_path)

    assert found is verdict, why


def test_every_trap_up_to_33_has_a_scenario_for_every_engine() -> None:
    for_all = {trap.number for trap in TRAPS if not trap.only}

    assert for_all >= set(range(1, 34))


def test_the_page_of_the_documentation_has_every_trap_of_declared_rules() -> None:
    page = (Path(__file__).parents[2] / "docs/guide/traps.md").read_text()
    ours = [trap for trap in TRAPS if not trap.only or "windrow" in trap.only]

    told = [line for line in page.splitlines() if line.startswith("| ") and line[2].isdigit()]

    assert [line.split(" | ")[:3] for line in told] == [[f"| {t.number}", t.title, "right"] for t in ours]
    assert all(f"* {what}: {why}.\n" in page for what, why in LEFT_OUT.items())
