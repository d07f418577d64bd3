"""No secret in anything that is printed or kept: canaries in every place where one may stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console import Console

CANARIES = {
    "AWS_ACCESS_KEY_ID": "AKIACANARY0000000001",
    "AWS_SECRET_ACCESS_KEY": "canary-secret-access-key-2",
    "AWS_SESSION_TOKEN": "canary-session-token-3",
}
BROKER, URL, FILE = "canary-broker-password-4", "canary-url-password-5", "canary-file-secret-6"
ALL = (*CANARIES.values(), BROKER, URL, FILE)
RULE = """
[[rule]]
name = "env"
each = "*.txt"
command = "env > {out}; echo said; echo complained >&2"
outputs = ["out/{stem}"]
"""


def console(root: Path, settings: str) -> Console:
    (root / "tree").mkdir()
    (root / "tree/windrow.toml").write_text('[project]\nname = "hush"\n' + settings + RULE)
    (root / "tree/a.txt").write_text("a\n")
    return Console(root / "tree", root / "cache", TMPDIR=str(root), **CANARIES)


def found_in(text: str) -> list[str]:
    return [canary for canary in ALL if canary in text]


def kept(root: Path) -> dict[str, list[str]]:
    """The files that hold a canary, but for those in which the test itself has put it."""
    ours = {root / "tree/windrow.toml", root / "tree/windrow.local.toml", root / "tree/keys"}
    files = [path for path in root.rglob("*") if path.is_file() and path not in ours]
    return {str(path): found for path in files if (found := found_in(path.read_bytes().decode("latin-1")))}


COMMANDS = [
    ("build",),
    ("build", "--json"),
    ("build", "-v"),
    ("plan", "--json"),
    ("status",),
    ("status", "--json"),
    ("doctor",),
    ("doctor", "--json"),
    ("lock", "show"),
    ("cache", "stats"),
    ("events", "list"),
    ("graph", "--json"),
    ("show",),
]


def test_jobs_records_and_output_know_nothing_of_the_keys(tmp_path: Path) -> None:
    """An embedded build: the environment's keys reach no job, no record, no line."""
    shell = console(tmp_path, "")

    said = [shell.run(*words) for words in COMMANDS]

    assert said[0].code == 0
    assert found_in("".join(one.out + one.err for one in said)) == []
    assert kept(tmp_path) == {}


@pytest.mark.parametrize(
    "words", [("build",), ("build", "--json"), ("doctor",), ("status", "--json"), ("lock", "show")], ids=" ".join
)
def test_a_broker_s_password_is_not_told_when_it_does_not_answer(tmp_path: Path, words: tuple[str, ...]) -> None:
    settings = f'[farm]\nbroker = "redis://user:{BROKER}@127.0.0.1:1/0"\nbroker_patience = 0.1\n'

    said = console(tmp_path, settings).run(*words)

    assert said.code in (32, 36)
    assert "127.0.0.1:1" in said.out + said.err
    assert found_in(said.out + said.err) == []
    assert kept(tmp_path) == {}


@pytest.mark.parametrize(
    "settings",
    [
        f'[storage]\nurl = "s3://AKIAX:{URL}@bucket/prefix"\n',
        f'[storage]\nurl = "s3://bucket/p"\nendpoint = "http://user:{URL}@127.0.0.1:1"\n',
        f'[storage]\nurl = "https://user:{URL}@host/p"\n',
        f'[farm]\nbroker = "amqp://user:{URL}@host/"\n',
        f'[farm]\nbroker = "redis://user:{URL}@host:port/"\n',
    ],
    ids=["in the url", "in the endpoint", "of a wrong kind", "broker of a wrong kind", "broker with a bad port"],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_an_address_with_a_password_is_refused_without_repeating_it(
    tmp_path: Path, settings: str, as_json: bool
) -> None:
    said = console(tmp_path, settings).run("build", *(["--json"] if as_json else []))

    assert said.code == 2
    assert found_in(said.out + said.err) == []
    assert kept(tmp_path) == {}


def test_a_bucket_that_does_not_answer_is_told_without_the_keys(tmp_path: Path) -> None:
    settings = '[storage]\nurl = "s3://bucket/p"\nendpoint = "http://127.0.0.1:1"\ncredentials_file = "keys"\n'
    shell = console(tmp_path, settings)
    keys = tmp_path / "tree/keys"
    keys.write_text(f"[default]\naws_access_key_id = AKIAX\naws_secret_access_key = {FILE}\n")
    keys.chmod(0o600)
    (tmp_path / "tree/.gitignore").write_text("keys\n")

    said = [shell.run("status"), shell.run("status", env=dict.fromkeys(CANARIES, ""))]

    assert {one.code for one in said} == {32}
    assert all("127.0.0.1:1" in one.err for one in said)
    assert found_in("".join(one.out + one.err for one in said)) == []
    assert kept(tmp_path) == {}


def test_a_crash_report_holds_no_secret(tmp_path: Path) -> None:
    shell = console(tmp_path, f'[farm]\nbroker = "redis://user:{BROKER}@127.0.0.1:1/0"\n')
    (tmp_path / "site").mkdir()
    broken = f"import time\n\ndef monotonic():\n    raise ValueError('redis://user:{BROKER}@127.0.0.1:1/0 is odd')\n\n"
    (tmp_path / "site/sitecustomize.py").write_text(broken + "time.monotonic = monotonic\n")

    said = shell.run("build", env={"PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1"})
    as_json = shell.run("build", "--json", env={"PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1"})
    (tmp_path / "site/sitecustomize.py").unlink()

    assert (said.code, as_json.code) == (37, 37)
    assert list(tmp_path.glob("windrow-crash-*"))
    assert found_in(said.out + said.err + as_json.out + as_json.err) == []
    assert kept(tmp_path) == {}
