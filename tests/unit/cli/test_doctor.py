"""What `windrow doctor` says of workers, and of what fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.doctor import worker_finding
from shared.queue import Beat
from tests.console import Console
from workers.sandbox.marks import observable


@pytest.mark.parametrize(
    ("platforms", "asked", "verdict", "says"),
    [
        (("ours",), True, "ok", "1 slot, serves this project's tools"),
        (("theirs",), True, "warn", "1 slot, has other tools than this project's"),
        ((), True, "ok", "1 slot, looks at its tools just now"),
        # Nothing is wrong with a farm that has just come up.
        ((), False, "ok", "1 slot, not asked for this project's tools yet: a build does"),
        (("theirs",), False, "ok", "1 slot, not asked for this project's tools yet: a build does"),
    ],
)
def test_a_worker_that_no_build_asked_is_no_trouble(
    platforms: tuple[str, ...], asked: bool, verdict: str, says: str
) -> None:
    beat = Beat("w1", "host", 1, 1, "0.1.0", "2026-01-01T00:00:00Z", platforms=platforms)

    assert worker_finding(beat, "ours", asked=asked) == (verdict, "workers", f"w1: {says}")


BROKER = '[farm]\nbroker = "redis://127.0.0.1:1/0"\nbroker_patience = 0.1\n'
BUCKET = '[storage]\nurl = "s3://bucket/p"\nendpoint = "http://127.0.0.1:1"\n\n[farm]\nbroker_patience = 0.1\n'


@pytest.mark.parametrize(
    ("settings", "failed", "left"),
    [
        (BROKER, ["broker"], {"workers": "broker", "history": "broker"}),
        (BUCKET, ["storage"], {"history": "storage"}),
    ],
)
def test_what_fails_fails_once(tmp_path: Path, settings: str, failed: list[str], left: dict[str, str]) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/windrow.toml").write_text(f'[project]\nname = "sick"\n\n{settings}')

    said = Console(tmp_path / "tree", tmp_path / "cache", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b").run(
        "doctor", "--json"
    )

    checks = {one["what"]: (one["verdict"], one["text"]) for one in said.json()["checks"]}
    assert (said.code, said.json()["failed"]) == (36, 1)
    assert [what for what, (verdict, _) in checks.items() if verdict == "FAIL"] == failed
    told = {what: text for what, (verdict, text) in checks.items() if verdict == "warn" and what in left}
    assert told == {what: f"not looked at, since {why} failed" for what, why in left.items()}


def test_it_tells_whether_it_is_seen_what_commands_read(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/windrow.toml").write_text('[project]\nname = "seen"\n')
    sandboxes = tmp_path / "sandboxes"

    said = Console(tmp_path / "tree", tmp_path / "cache", WINDROW_SANDBOX_DIR=str(sandboxes)).run("doctor", "--json")

    told = [one["text"] for one in said.json()["checks"] if one["what"] == "sandboxes"]
    seen = "what commands read is seen" if observable(tmp_path / "probe") else "reading is not seen"
    assert len(told) == 1
    assert told[0].startswith(f"{sandboxes}: {seen}")
    assert list(sandboxes.iterdir()) == []
