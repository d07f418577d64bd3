"""Settings, names and projects with which windrow test can do nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.impact_by_pytest.looks import LEAF
from tests.scenarios.impact_project import RealImpact

pytestmark = pytest.mark.xdist_group("windrow-test")


@pytest.mark.parametrize(
    ("toml", "error"),
    [
        ('paths = "x"', "W0102"),
        ("shards = -1", "W0102"),
        ('results = "../x"', "W0102"),
        ("nonsense = 1", "W0102"),
        ('python = ".venv/bin/python"', "W0102"),
        ('python = "no-such-python"', "W3603"),
    ],
)
def test_a_wrong_setting_is_an_error_with_its_place(space: RealImpact, toml: str, error: str) -> None:
    space.write("windrow.toml", f'[project]\nname = "x"\n\n[tests]\n{toml}\n')

    said = space.console.run("test")

    assert f"error[{error}]" in said.err
    assert said.code == {"W0102": 2, "W3603": 36}[error]


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("no_such_test", "windrow test --dry-run lists the test files"),
        (f"{LEAF}::test_x", "leave out what follows"),
        ("src", "windrow test --dry-run lists the test files"),
        ("test_leaf00.py", f"did you mean {LEAF}"),
    ],
)
def test_a_name_of_no_test_file_is_an_error_that_speaks_of_tests(space: RealImpact, name: str, fix: str) -> None:
    said = space.console.run("test", name)

    assert (said.code, f"error[W0401]: no test file '{name}'" in said.err, fix in said.err) == (4, True, True)


def test_init_sees_tests_and_a_report_among_the_sources_is_warned_of(tmp_path: Path) -> None:
    space = RealImpact(tmp_path / "tree")
    space.write("src/shop/cart.py", "def total(prices):\n    return sum(prices)\n")
    space.write(
        "tests/test_cart.py", "from shop.cart import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
    )

    begun = space.console.run("init")
    said = space.console.run("test", "--junit", "build/report.xml")
    odd = space.console.run("test", "--junit", "report.xml")

    assert (begun.code, begun.out.splitlines()[-1]) == (0, "next: windrow test")
    assert "[tests]" in space.read("windrow.toml")
    assert (said.code, said.out.strip()) == (0, "1 of 1 test file: 1 passed, 0 failed")
    assert "warning" not in said.err
    assert "warning: report.xml lies among the sources" in odd.err


def test_a_project_without_tests_says_so(space: RealImpact) -> None:
    space.write("windrow.toml", '[project]\nname = "x"\n')

    said = space.console.run("test")

    assert (said.code, "this project has no tests" in said.err) == (2, True)
