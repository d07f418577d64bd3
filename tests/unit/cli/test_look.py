"""What commands that only look show: the plan as far as it was asked for, and why a target of several jobs runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console import Console

RULES = """\
[project]
name = "look"

[[rule]]
name = "copy"
each = "src/*.txt"
command = "cp {in} {out}"
outputs = ["out/{stem}"]

[[rule]]
name = "join"
inputs = ["rule:copy"]
command = "cat {in} > {out}"
outputs = ["all"]
"""


@pytest.fixture
def shell(tmp_path: Path) -> Console:
    (tmp_path / "tree/src").mkdir(parents=True)
    (tmp_path / "tree/windrow.toml").write_text(RULES)
    for name in ("one", "two"):
        (tmp_path / f"tree/src/{name}.txt").write_text(f"{name}\n")
    return Console(tmp_path / "tree", tmp_path / "cache")


def test_a_dry_run_up_to_a_layer_shows_what_that_build_would_run(shell: Console) -> None:
    shown = shell.run("build", "--dry-run", "--up-to-layer", "0")
    told = shell.run("build", "--dry-run", "--up-to-layer", "0", "--json").json()
    built = shell.run("build", "--up-to-layer", "0", "--json").json()

    assert shown.out.startswith("2 jobs in 1 layer, 0 unchanged\n")
    assert [len(layer) for layer in told["layers"]] == built["layers"] == [2]
    assert {job["job"] for job in told["layers"][0]} == {"copy:out/one", "copy:out/two"}


def test_why_is_about_the_job_that_is_out_of_date_where_a_target_stands_for_several(shell: Console) -> None:
    assert shell.run("build").code == 0
    (shell.folder / "src/two.txt").write_text("other\n")

    for target in ("copy", "out/*"):
        said = shell.run("why", target)

        assert said.out.startswith(f"{target} is out of date.\ncopy:out/two\n  because src/two.txt changed")


def test_why_tells_of_the_build_that_made_what_is_there_and_not_of_one_that_failed_since(shell: Console) -> None:
    assert shell.run("build").code == 0
    rules = shell.folder / "windrow.toml"
    rules.write_text(RULES.replace("cat {in} > {out}", "false"))
    assert shell.run("build").code == 1
    rules.write_text(RULES)

    said = shell.run("why", "all")

    assert said.out.startswith("all is up to date; it was last planned for rev-0001.\njoin:all\n")
    assert "has not been built before" in said.out
