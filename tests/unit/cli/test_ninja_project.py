"""Which project a build folder belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.ninja_project import open_build_folder
from shared.errors import UsageError
from shared.settings import Settings

RULE = "rule cat\n  command = cat $in > $out\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def opened(folder: Path, file: str = "build.ninja", **flags: object) -> Settings:
    return open_build_folder(folder, file, flags=flags, environ={"HOME": "/nobody", "PATH": "/bin"})


def test_a_build_file_that_is_not_there_is_told_in_ninja_s_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"loading 'build\.ninja': No such file or directory"):
        opened(tmp_path)


def test_the_project_whose_settings_name_the_file_has_it(tmp_path: Path) -> None:
    write(tmp_path / "windrow.toml", '[project]\nname = "app"\n\n[ninja]\nfile = "build/build.ninja"\n')
    write(tmp_path / "build/build.ninja", RULE)

    settings = opened(tmp_path / "build", jobs=3)

    assert (settings.project, settings.root, settings.jobs) == ("app", tmp_path, 3)
    assert settings.state_dir == tmp_path / ".windrow"


@pytest.mark.parametrize(
    "table", ["", '[ninja]\nfile = "other/build.ninja"\n', '[ninja]\nfile = "build/build.ninja"\ndirectory = "."\n']
)
def test_one_whose_settings_name_another_does_not(tmp_path: Path, table: str) -> None:
    write(tmp_path / "windrow.toml", f'[project]\nname = "app"\n\n{table}')
    write(tmp_path / "build/build.ninja", RULE)

    settings = opened(tmp_path / "build")

    assert settings.project != "app"
    assert settings.state_dir == tmp_path / "build/.windrow"


def test_the_root_holds_the_build_folder_and_all_that_edges_name(tmp_path: Path) -> None:
    write(tmp_path / "deep/app/build/build.ninja", RULE + "build x: cat ../src/a ../../common/b /usr/lib/c\n")

    settings = opened(tmp_path / "deep/app/build")

    assert settings.root == tmp_path / "deep"
    assert settings.ninja is not None
    assert (settings.ninja.file, settings.ninja.cwd) == ("app/build/build.ninja", "app/build")
    assert settings.folders == ()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("CMakeCache.txt", "A:X=1\nCMAKE_HOME_DIRECTORY:INTERNAL={source}\n"),
        ("meson-info/meson-info.json", '{{"directories": {{"source": "{source}"}}}}'),
    ],
)
def test_cmake_and_meson_tell_where_the_sources_are(tmp_path: Path, file: str, text: str) -> None:
    source = tmp_path / "Sources of App"
    source.mkdir()
    write(tmp_path / "out/build.ninja", RULE)
    write(tmp_path / "out" / file, text.format(source=source))

    settings = opened(tmp_path / "out")

    assert settings.root == tmp_path
    assert settings.project.startswith("sources-of-app-")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"directories": 1}', '{"directories": {}}'])
def test_what_tells_nothing_is_passed_over(tmp_path: Path, text: str) -> None:
    write(tmp_path / "app/build.ninja", RULE)
    write(tmp_path / "app/meson-info/meson-info.json", text)
    write(tmp_path / "app/CMakeCache.txt", text)

    assert opened(tmp_path / "app").root == tmp_path / "app"


def test_two_build_folders_of_one_source_are_two_projects(tmp_path: Path) -> None:
    names = set()
    for folder in ("debug", "release"):
        write(tmp_path / f"app/{folder}/build.ninja", RULE + "build x: cat ../a\n")
        names.add(opened(tmp_path / "app" / folder).project)

    assert len(names) == 2
    assert {name.rpartition("-")[0] for name in names} == {"app"}


def test_a_build_file_elsewhere_runs_its_commands_in_the_folder_that_is_opened(tmp_path: Path) -> None:
    write(tmp_path / "app/files/x.ninja", RULE + "build out: cat in\n")
    (tmp_path / "app/run").mkdir()

    below = opened(tmp_path / "app", "files/x.ninja")
    beside = opened(tmp_path / "app/run", "../files/x.ninja")

    assert below.ninja is not None and beside.ninja is not None
    assert (below.root, below.ninja.file, below.ninja.cwd) == (tmp_path / "app", "files/x.ninja", "")
    assert (beside.root, beside.ninja.file, beside.ninja.cwd) == (tmp_path / "app", "files/x.ninja", "run")


def test_a_root_that_is_nobody_s_is_narrowed_to_the_folders_of_the_project(tmp_path: Path) -> None:
    """A build folder in one part of the machine and sources in another meet in `/`."""
    write(tmp_path / "build.ninja", RULE + "build x: cat /srv/sources/a\n")

    settings = opened(tmp_path)

    assert settings.root == Path("/")
    assert set(settings.folders) == {"srv", tmp_path.parts[1]}


def test_what_the_system_has_is_no_part_of_a_project_that_is_in_two_parts_of_the_machine(tmp_path: Path) -> None:
    write(tmp_path / "CMakeCache.txt", "CMAKE_HOME_DIRECTORY:INTERNAL=/usr/share/elsewhere/probe\n")
    write(tmp_path / "build.ninja", RULE + "build x: cat /usr/share/elsewhere/probe/a /usr/include/stdio.h\n")

    settings = opened(tmp_path)

    assert settings.root == Path("/")
    assert set(settings.folders) == {"usr/share/elsewhere/probe", str(tmp_path)[1:]}


def test_a_program_that_edges_name_does_not_widen_the_root(tmp_path: Path) -> None:
    source = tmp_path / "app"
    write(source / "build/CMakeCache.txt", f"CMAKE_HOME_DIRECTORY:INTERNAL={source}\n")
    program, tool = tmp_path / "env/bin/python", source / "tools/bin/gen"
    write(source / "build/build.ninja", RULE + f"build x: cat ../a | {program} {tool}\n")

    settings = opened(source / "build")

    assert (settings.root, settings.folders) == (source, ())


def test_of_a_folder_that_holds_sources_and_build_side_by_side_only_what_is_named_counts(tmp_path: Path) -> None:
    parent = tmp_path / "p"
    write(parent / "huge/of/others", "")
    write(parent / "third/include/t.h", "")
    write(parent / "tools/gen.py", "")
    write(parent / "build-x/CMakeCache.txt", f"CMAKE_HOME_DIRECTORY:INTERNAL={parent}/src-x\n")
    flags = f"  FLAGS = -I{parent}/src-x/include -isystem {parent}/third/include -DX={parent}/not/there\n"
    gen = "rule gen\n  command = python3 ../tools/gen.py $in > $out\n"
    write(parent / "build-x/build.ninja", RULE + gen + f"build x: cat ../src-x/a\n{flags}build y: gen ../src-x/b\n")

    settings = opened(parent / "build-x")

    assert settings.root == parent
    assert settings.folders == ("build-x", "src-x", "third/include", "tools")


def test_where_nobody_tells_where_the_sources_are_all_between_counts(tmp_path: Path) -> None:
    write(tmp_path / "p/build-x/build.ninja", RULE + "build x: cat ../src-x/a\n")

    assert opened(tmp_path / "p/build-x").folders == ()
