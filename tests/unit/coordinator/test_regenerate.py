"""A build file is made anew when what it is made from holds something else, and only then."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from coordinator.imported.build import ImportedBuild
from coordinator.imported.regenerate import Regeneration
from shared.errors import BuildFailed, WindrowError
from shared.settings import NinjaSettings, Settings

TEXT = """\
rule configure
  command = {command}
  generator = 1
  description = configuring
rule cat
  command = cat $in > $out
build build.ninja: configure ../list.txt | /dev/null
"""
SCRIPT = "cp build.ninja old && cp old build.ninja && echo '# '`cat ../list.txt` >> build.ninja && echo x >> runs"


class Configured:
    """A build folder whose build file a script makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tree/build"
        self.folder.mkdir(parents=True)
        self.list = folder / "tree/list.txt"
        self.list.write_text("one\n")
        self.aged(self.list)
        self.write(SCRIPT)
        self.said: list[str] = []

    def write(self, command: str) -> None:
        (self.folder / "build.ninja").write_text(TEXT.format(command=command))

    def aged(self, path: Path, seconds: float = 60.0) -> None:
        os.utime(path, (time.time() - seconds,) * 2)

    def regeneration(self) -> Regeneration:
        ninja = NinjaSettings("build/build.ninja")
        settings = Settings(self.folder.parent, "x", "main", self.folder.parent / "cache", ninja=ninja)
        self.imported = ImportedBuild(settings, ninja)
        return Regeneration(self.imported)

    def run(self) -> bool:
        return self.regeneration().run(self.say)

    def say(self, text: str, why: str, command: str) -> int:
        self.said.append(f"{text} ({why})")
        return 2

    @property
    def runs(self) -> int:
        runs = self.folder / "runs"
        return len(runs.read_text().splitlines()) if runs.exists() else 0


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    return Configured(tmp_path)


def test_a_build_file_newer_than_its_inputs_is_taken_as_it_is(configured: Configured) -> None:
    assert not configured.run()
    assert (configured.runs, configured.said) == (0, [])


def test_before_anything_is_known_a_newer_input_has_it_made(configured: Configured) -> None:
    configured.aged(configured.folder / "build.ninja", 120.0)

    assert configured.run()
    assert configured.runs == 1
    assert configured.said == [f"configuring ({configured.list} is newer)"]


def test_an_edited_input_has_it_made_once_whatever_its_time(configured: Configured) -> None:
    configured.run()
    configured.list.write_text("two\n")
    configured.aged(configured.list)

    assert configured.run()
    assert not configured.run()
    assert configured.runs == 1
    assert "# two" in (configured.folder / "build.ninja").read_text()


def test_a_touched_input_does_not(configured: Configured) -> None:
    configured.run()
    os.utime(configured.list)

    assert not configured.run()


def test_what_was_read_of_the_old_file_is_forgotten(configured: Configured) -> None:
    configured.run()
    configured.write(SCRIPT + r" && printf 'build new: cat ../list.txt\n' >> build.ninja")
    configured.list.write_text("two\n")
    regeneration = configured.regeneration()
    before = len(configured.imported.manifest.edges)

    assert regeneration.run(configured.say)
    assert len(configured.imported.manifest.edges) == before + 1


def test_without_an_edge_that_makes_it_there_is_nothing_to_do(configured: Configured) -> None:
    (configured.folder / "build.ninja").write_text("rule cat\n  command = cat\nbuild x: cat ../list.txt\n")

    assert configured.regeneration().due() == ""
    assert not configured.run()


def test_a_command_that_fails_ends_the_build_and_is_tried_again(configured: Configured) -> None:
    configured.run()
    configured.write("exit 3")
    configured.list.write_text("two\n")

    with pytest.raises(BuildFailed, match="exit code 3") as error:
        configured.run()

    assert "exit 3" in error.value.why
    assert configured.regeneration().due() == f"{configured.list} is newer"


def test_an_input_that_is_gone_is_a_reason(configured: Configured) -> None:
    configured.run()
    configured.list.unlink()

    assert configured.regeneration().due() == f"{configured.list} is not there"


def test_one_that_is_never_done_is_told_instead_of_repeated_for_ever(configured: Configured) -> None:
    configured.write("echo x >> ../list.txt; echo x >> runs")
    configured.aged(configured.folder / "build.ninja", 120.0)

    with pytest.raises(WindrowError, match="still dirty after 20 runs"):
        configured.run()

    assert configured.runs == 20


@pytest.mark.parametrize("text", ["", "{}", '{"schema": "windrow.generator/2", "inputs": {}}', "\0"])
def test_what_is_kept_and_cannot_be_read_counts_as_nothing(configured: Configured, text: str) -> None:
    configured.run()
    (configured.folder.parent / ".windrow/generator.json").write_text(text)

    assert configured.regeneration().due() == ""

    configured.aged(configured.folder / "build.ninja", 120.0)
    (configured.folder.parent / ".windrow/generator.json").write_text(text)

    assert configured.regeneration().due() == f"{configured.list} is newer"


def gn(configured: Configured, more: str = "") -> None:
    """As GN writes it: a stamp is made of what a depfile names, and the build file is only a name for that."""
    (configured.folder / "gen").write_text(GN)
    (configured.folder / "build.ninja").write_text(STAMPED + more)
    (configured.folder / "build.ninja.stamp").write_text("")
    (configured.folder / "build.ninja.d").write_text("build.ninja.stamp: ../list.txt ../other\\ list.txt\n")
    (configured.list.parent / "other list.txt").write_text("other")
    configured.aged(configured.list.parent / "other list.txt")


STAMPED = """\
rule gn
  command = sh ./gen
  description = Regenerating ninja files
build build.ninja.stamp: gn
  generator = 1
  depfile = build.ninja.d
build build.ninja: phony build.ninja.stamp
  generator = 1
"""
GN = """\
echo x >> runs
echo "# $(cat ../list.txt)" >> build.ninja
touch build.ninja.stamp
test -f ../third && third=../third
echo "build.ninja.stamp: ../list.txt $third" > build.ninja.d
"""


def test_gn_is_run_when_a_file_of_its_depfile_changed(configured: Configured) -> None:
    gn(configured)
    assert not configured.run()
    (configured.list.parent / "other list.txt").write_text("another")

    assert configured.run()
    assert configured.said == [f"Regenerating ninja files ({configured.list.parent}/other list.txt changed)"]
    assert not configured.run()
    (configured.list.parent / "other list.txt").write_text("it reads this no more")
    assert not configured.run()
    configured.list.write_text("two\n")
    assert configured.run() and not configured.run()
    assert configured.runs == 2 and "# two" in (configured.folder / "build.ninja").read_text()


def test_a_file_that_gn_reads_from_now_on_counts(configured: Configured) -> None:
    gn(configured)
    configured.run()
    (configured.list.parent / "third").write_text("1")
    configured.list.write_text("two\n")
    assert configured.run()
    (configured.list.parent / "third").write_text("2")

    assert configured.regeneration().due() == f"{configured.list.parent}/third changed"


@pytest.mark.parametrize("lost", ["build.ninja.stamp", "build.ninja.d"])
def test_gn_is_run_when_its_stamp_or_its_depfile_is_gone(configured: Configured, lost: str) -> None:
    gn(configured)
    configured.run()
    (configured.folder / lost).unlink()

    assert configured.run() and not configured.run()
    assert configured.runs == 1


def test_before_anything_is_known_gn_is_run_for_a_file_newer_than_its_stamp(configured: Configured) -> None:
    gn(configured)
    configured.aged(configured.folder / "build.ninja.stamp", 120.0)

    assert configured.regeneration().due() == f"{configured.list} is newer"


def test_what_the_depfile_of_deps_gcc_said_is_remembered(configured: Configured) -> None:
    gn(configured)
    (configured.folder / "build.ninja").write_text(STAMPED.replace("ninja.d\n", "ninja.d\n  deps = gcc\n"))
    (configured.folder / "build.ninja.d").unlink()

    assert configured.run()
    assert not (configured.folder / "build.ninja.d").exists()
    assert not configured.run()
    configured.list.write_text("two\n")
    assert configured.regeneration().due() == f"{configured.list} changed"


def test_what_the_build_file_is_made_of_is_made_first(configured: Configured) -> None:
    (configured.folder / "build.ninja").write_text(
        "rule cp\n  command = cp $in $out\nrule gen\n  command = sh ./gen && touch $out\n"
        "build config: cp ../list.txt\nbuild all: phony config\nbuild build.ninja: gen | all\n"
    )
    (configured.folder / "gen").write_text("echo x >> runs; cat config >> told")
    assert configured.run()
    configured.list.write_text("two\n")

    assert configured.run()
    assert not configured.run()
    assert (configured.folder / "told").read_text() == "one\ntwo\n"


def test_a_build_file_that_somebody_else_made_since_is_taken_as_it_is(configured: Configured) -> None:
    configured.run()
    configured.list.write_text("two\n")
    configured.aged(configured.list, 30)
    configured.write(SCRIPT)  # as `cmake ..` would

    assert not configured.regeneration().due()
    configured.list.write_text("three\n")
    configured.aged(configured.list, 30)
    assert configured.regeneration().due() == f"{configured.list} changed", "from there on contents count again"


ASKING = """\
rule ask
  command = echo x >> asked; if [ -e ../more ]; then {touch}; fi
  generator = 1
  restat = 1
rule make
  command = rm -f ../more; echo x >> runs; cp build.ninja old && cp old build.ninja
  generator = 1
build never: phony
build stamp: ask | never
build build.ninja: make stamp
build x: phony
"""


def asking(configured: Configured, touch: str = "touch stamp") -> None:
    (configured.folder / "build.ninja").write_text(ASKING.format(touch=touch))
    (configured.folder / "stamp").touch()
    configured.aged(configured.folder / "stamp")


def asked(configured: Configured) -> int:
    return len((configured.folder / "asked").read_text().splitlines())


def test_an_edge_that_needs_what_is_never_there_runs_once_a_time(configured: Configured) -> None:
    asking(configured)

    assert not configured.run()
    assert not configured.run()

    assert (asked(configured), configured.runs) == (2, 0)
    assert configured.said[0].endswith("(never is not there)")
    assert configured.regeneration().asks() and not configured.regeneration().due()


def test_what_it_touches_has_what_needs_that_run_though_it_holds_the_same(configured: Configured) -> None:
    asking(configured)
    configured.run()
    (configured.list.parent / "more").touch()

    assert configured.run()

    assert (asked(configured), configured.runs) == (3, 1), "and it is asked again of the new build file"
    assert "(stamp was made anew)" in configured.said[2]
    assert not configured.run()


def test_a_file_that_the_build_file_includes_may_come_of_it(configured: Configured) -> None:
    asking(configured, "echo build y: phony > stamp; rm ../more")
    text = (configured.folder / "build.ninja").read_text().replace("build build.ninja: make stamp", "include stamp")
    (configured.folder / "build.ninja").write_text(text + "rule again\n  command = :\nbuild build.ninja: again stamp\n")
    (configured.list.parent / "more").touch()
    regeneration = configured.regeneration()
    before = len(configured.imported.manifest.edges)

    assert regeneration.run(configured.say)
    assert len(configured.imported.manifest.edges) == before + 1
