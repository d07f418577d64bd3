"""A checkout behind a symlink: CMake writes the path through the link, and the project lies where it leads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console import Console, Said

# As CMake writes it: outputs of custom commands and sources by absolute path, the rest relative to the folder.
BUILD = """\
cmake_ninja_workdir = {here}/build/
rule run
  command = $COMMAND
build gen/table.h | ${{cmake_ninja_workdir}}gen/table.h: run {here}/table.txt
  COMMAND = cp {here}/table.txt {here}/build/gen/table.h
build app: run {here}/build/gen/table.h || gen/table.h
  COMMAND = cat {here}/build/gen/table.h > app && echo {here}/build {here}-other
"""


class Checkout:
    """A folder, a link to it, and the build file that was written through the link."""

    def __init__(self, root: Path) -> None:
        self.root, self.real, self.link = root, root / "real", root / "link"
        (self.real / "build" / "gen").mkdir(parents=True)
        self.link.symlink_to(self.real)
        (self.real / "build" / "build.ninja").write_text(BUILD.format(here=self.link))
        (self.real / "table.txt").write_text("1\n")

    def build(self, place: Path) -> Said:
        """Run it from a folder that holds `build`; it went well."""
        said = Console(place, self.root / "cache").run("ninja", "-C", "build")
        assert said.code == 0, said
        return said


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_it_builds_from_either_path(checkout: Checkout) -> None:
    said = checkout.build(checkout.link)

    assert (checkout.real / "build/app").read_text() == "1\n"
    assert f"{checkout.real}/build {checkout.link}-other" in said.out
    assert "no work to do" in checkout.build(checkout.real).out
    (checkout.real / "table.txt").write_text("2\n")
    checkout.build(checkout.real)
    assert (checkout.real / "build/app").read_text() == "2\n"
    assert "no work to do" in checkout.build(checkout.link).out


def test_with_a_windrow_toml_too(checkout: Checkout) -> None:
    (checkout.real / "windrow.toml").write_text('[project]\nname = "x"\n\n[ninja]\nfile = "build/build.ninja"\n')
    console = Console(checkout.link, checkout.root / "cache")

    assert console.run("build", "--json").json()["executed"] == 2
    assert console.run("build", "--json").json()["status"] == "no-changes"


def test_a_link_that_leads_elsewhere_now_is_no_alias_any_more(checkout: Checkout) -> None:
    checkout.build(checkout.link)
    checkout.link.unlink()
    checkout.link.mkdir()

    said = Console(checkout.real, checkout.root / "cache").run("ninja", "-C", "build")

    # What it names is not there, as for ninja: a file that was kept of it must not say otherwise.
    assert (said.code, f"'{checkout.link}/table.txt'" in said.out + said.err) == (1, True)
