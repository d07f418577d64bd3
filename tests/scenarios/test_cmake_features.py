"""Features of CMake that a build tool notices: real projects by real CMake, as ninja leaves them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.scenarios.cmake_place import HEAD, MISSING, CMakePlace

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} is not installed"),
    pytest.mark.timeout(120),
]


@pytest.fixture
def place(tmp_path: Path) -> CMakePlace:
    return CMakePlace(tmp_path)


BLANKS = {
    "CMakeLists.txt": HEAD
    + """
add_library(a STATIC "a b.c" "sub dir/é.c")
target_include_directories(a PRIVATE "in c")
add_custom_command(OUTPUT "ge n.h" COMMAND ${CMAKE_COMMAND} -E copy "${CMAKE_SOURCE_DIR}/te mpl.h" "ge n.h"
  DEPENDS "te mpl.h")
add_executable(m main.c "${CMAKE_BINARY_DIR}/ge n.h")
target_include_directories(m PRIVATE ${CMAKE_BINARY_DIR})
target_link_libraries(m a)
add_custom_command(TARGET m POST_BUILD COMMAND m > "ou t ü.txt" VERBATIM)
""",
    "a b.c": "#include <in c.h>\nint a(void){return C;}\n",
    "sub dir/é.c": "int e(void){return 2;}\n",
    "in c/in c.h": "#define C 3\n",
    "te mpl.h": "#define T 4\n",
    "main.c": '#include "ge n.h"\n#include <stdio.h>\nint a(void),e(void);int main(void){printf("%d\\n",a()+e()+T);}\n',
}


def test_names_with_blanks_and_letters_beyond_ascii(tmp_path: Path) -> None:
    (tmp_path / "h o m é").mkdir()
    place = CMakePlace(tmp_path / "h o m é")
    place.write(BLANKS)
    place.configure()
    assert place.by_windrow().code == 0
    assert (place.tree / "build/ou t ü.txt").read_text() == "9\n"
    assert "no work to do" in place.by_windrow().said
    place.write({"in c/in c.h": "#define C 4\n", "te mpl.h": "#define T 5\n"})

    again = place.by_windrow()

    assert {"CMakeFiles/a.dir/a_b.c.o", "liba.a", "ge n.h", "CMakeFiles/m.dir/main.c.o", "m"} == again.executed
    made = place.outputs()
    place.configure()
    assert place.by_ninja().code == 0
    assert place.outputs() == made


CHECK = {
    "CMakeLists.txt": HEAD
    + """
enable_testing()
add_executable(app app.c)
add_test(NAME app COMMAND sh -c "test -x '$<TARGET_FILE:app>' && '$<TARGET_FILE:app>'")
add_custom_target(check COMMAND ${CMAKE_CTEST_COMMAND})
""",
    "app.c": "int main(void){return 0;}\n",
}


def test_a_target_of_one_s_own_that_runs_ctest_has_what_was_built(place: CMakePlace) -> None:
    place.write(CHECK)
    place.configure()
    assert place.by_windrow().code == 0

    checked = place.by_windrow("check")

    assert (checked.code, "100% tests passed" in checked.said) == (0, True), checked.said
    assert (place.tree / "build/Testing/Temporary/LastTest.log").is_file()
    place.write({"app.c": "int main(void){return 1;}\n"})
    # As with ninja, nothing is built for it.
    assert place.by_windrow("check").code == 0
    assert place.by_windrow().code == 0
    assert place.by_windrow("check").code == 8


BESIDE = {
    "CMakeLists.txt": HEAD
    + """
add_executable(app app.c)
target_compile_options(app PRIVATE -g -gsplit-dwarf --coverage -frandom-seed=1)
target_link_options(app PRIVATE --coverage -Wl,-Map=app.map)
add_custom_command(TARGET app POST_BUILD COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:app>
  ${CMAKE_BINARY_DIR}/dist/app COMMAND ${CMAKE_STRIP} ${CMAKE_BINARY_DIR}/dist/app)
add_custom_command(OUTPUT lines.txt DEPENDS app
  COMMAND gcov -n $<TARGET_OBJECTS:app> > lines.txt COMMAND grep -c main app.map >> lines.txt)
add_custom_target(lines DEPENDS lines.txt)
""",
    "app.c": "int main(void){return 0;}\n",
}


@pytest.mark.skipif(shutil.which("gcov") is None, reason="gcov is not installed")
def test_a_build_folder_that_ninja_has_used_goes_on_by_windrow(place: CMakePlace) -> None:
    place.write(BESIDE)
    place.configure()
    assert place.by_ninja().code == 0
    place.write({"app.c": "int main(void){return 1-1;}\n"})

    first = place.by_windrow()

    assert first.executed == {"CMakeFiles/app.dir/app.c.o", "app"}, first.said
    made = place.outputs()
    assert {"CMakeFiles/app.dir/app.c.gcno", "CMakeFiles/app.dir/app.c.dwo", "app.map", "dist/app"} <= made.keys()
    assert "no work to do" in place.by_windrow().said
    assert place.by_windrow("lines").code == 0, "what a command wrote besides is there for the next"
    place.configure()
    assert place.by_ninja().code == 0
    assert place.outputs() == {path: state for path, state in made.items() if path != "lines.txt"}


CONFIGURATIONS = {
    "CMakeLists.txt": HEAD
    + """
add_executable(m main.c)
add_custom_command(TARGET m POST_BUILD COMMAND m > $<CONFIG>.txt)
""",
    "main.c": "#include <stdio.h>\nint main(void){puts(VALUE);return 0;}\n".replace("VALUE", '"1"'),
}


@pytest.mark.parametrize("cross", ["", "all"])
def test_configurations_of_one_folder_leave_each_other_alone(place: CMakePlace, cross: str) -> None:
    place.write(CONFIGURATIONS)
    place.configure("-G", "Ninja Multi-Config", f"-DCMAKE_CROSS_CONFIGS={cross}")
    for name in ("Release", "Debug", "Release"):
        assert place.by_windrow("-f", f"build-{name}.ninja").code == 0
    there = place.outputs()
    assert {"Release/m", "Debug/m", "Release.txt", "Debug.txt"} <= there.keys()
    assert [place.by_windrow("-f", f"build-{name}.ninja").executed for name in ("Debug", "Release")] == [set(), set()]

    assert place.by_windrow("-f", "build-Debug.ninja", "clean").code == 0

    left = place.outputs()
    assert "Debug/m" not in left
    assert left["Release/m"] == there["Release/m"]


NESTED = {
    "CMakeLists.txt": HEAD
    + """
include(ExternalProject)
ExternalProject_Add(ext SOURCE_DIR ${CMAKE_SOURCE_DIR}/ext BUILD_ALWAYS ON
  CMAKE_ARGS -DCMAKE_INSTALL_PREFIX=${CMAKE_BINARY_DIR}/inst -DCMAKE_MAKE_PROGRAM=${CMAKE_MAKE_PROGRAM}
  BUILD_BYPRODUCTS ${CMAKE_BINARY_DIR}/inst/lib/libext.a)
add_executable(m main.c)
target_include_directories(m PRIVATE ${CMAKE_BINARY_DIR}/inst/include)
target_link_libraries(m ${CMAKE_BINARY_DIR}/inst/lib/libext.a)
add_dependencies(m ext)
add_custom_command(TARGET m POST_BUILD COMMAND m > said.txt)
""",
    "ext/CMakeLists.txt": HEAD
    + "add_library(ext STATIC ext.c)\ninstall(TARGETS ext DESTINATION lib)\ninstall(FILES ext.h DESTINATION include)\n",
    "ext/ext.c": '#include "ext.h"\nint ext(void){return E;}\n',
    "ext/ext.h": "#define E 1\nint ext(void);\n",
    "main.c": '#include <stdio.h>\n#include <ext.h>\nint main(void){printf("%d %d\\n",ext(),E);return 0;}\n',
}


def test_what_a_nested_build_installs_is_there_at_once(place: CMakePlace) -> None:
    place.write(NESTED)
    place.configure()

    first = place.by_windrow()

    assert first.code == 0, first.said
    assert (place.tree / "build/said.txt").read_text() == "1 1\n"
    assert not {"m", "CMakeFiles/m.dir/main.c.o"} & place.by_windrow().executed
    place.write({"ext/ext.h": "#define E 2\nint ext(void);\n"})
    assert place.by_windrow().code == 0
    assert (place.tree / "build/said.txt").read_text() == "2 2\n"
    assert place.by_windrow("clean").code == 0
    assert place.by_windrow().code == 0
    assert (place.tree / "build/said.txt").read_text() == "2 2\n"


def test_precompiled_headers_and_unity_builds_go_by_the_headers_behind_them(place: CMakePlace) -> None:
    place.write(
        {
            "CMakeLists.txt": HEAD
            + "add_executable(m m.c n.c)\ntarget_precompile_headers(m PRIVATE pre.h)\n"
            + "add_library(u STATIC u.c v.c)\nset_target_properties(u PROPERTIES UNITY_BUILD ON)\n",
            "pre.h": '#include "inner.h"\n',
            "inner.h": "#define INNER 0\n",
            "m.c": "int n(void);int main(void){return INNER+n();}\n",
            "n.c": "int n(void){return INNER;}\n",
            "u.c": '#include "inner.h"\nint u(void){return INNER;}\n',
            "v.c": "int v(void){return 1;}\n",
        }
    )
    place.configure()
    assert place.by_windrow().code == 0
    assert "no work to do" in place.by_windrow().said
    place.write({"inner.h": "#define INNER 1\n"})

    again = place.by_windrow()

    objects = {f"CMakeFiles/m.dir/{name}" for name in ("cmake_pch.h.gch", "m.c.o", "n.c.o")}
    assert again.executed == {*objects, "m", "CMakeFiles/u.dir/Unity/unity_0_c.c.o", "libu.a"}
    made = place.outputs()
    place.configure()
    assert place.by_ninja().code == 0
    # gcc's precompiled headers hold addresses of the run that made them.
    assert {path for path, state in place.outputs().items() if made.get(path) != state} <= {
        "CMakeFiles/m.dir/cmake_pch.h.gch"
    }


def test_a_try_compile_leaves_no_state_and_says_what_ninja_says(place: CMakePlace) -> None:
    head = HEAD.replace("set(CMAKE_C_COMPILER_WORKS 1)\nset(CMAKE_C_ABI_COMPILED 1)\n", "")
    checks = "include(CheckSymbolExists)\n" + "".join(
        f"check_symbol_exists({name} stdio.h HAVE_{name})\n" for name in ("printf", "nothing_of_the_kind")
    )
    place.write({"CMakeLists.txt": f"{head}{checks}"})

    place.configure()

    kept = (place.tree / "build/CMakeCache.txt").read_text()
    assert "HAVE_printf:INTERNAL=1" in kept
    assert "HAVE_nothing_of_the_kind:INTERNAL=\n" in kept
    assert not list((place.tree / "build/CMakeFiles").rglob(".windrow"))
    assert not (place.home / "cache").exists()


def test_sources_reached_through_a_symlink_and_built_beside_it(place: CMakePlace) -> None:
    text = HEAD + "add_executable(m main.c)\ntarget_include_directories(m PRIVATE inc)\n"
    place.write({"real/CMakeLists.txt": text, "real/main.c": "#include <v.h>\nint main(void){return V;}\n"})
    place.write({"real/inc/v.h": "#define V 0\n"})
    (place.tree / "link").symlink_to("real")
    place.configure("-G", "Ninja", "-S", "link")
    assert place.by_windrow().code == 0
    assert "no work to do" in place.by_windrow().said
    place.write({"real/inc/v.h": "#define V 1\n", "real/CMakeLists.txt": f"{text}# more\n"})

    again = place.by_windrow()

    assert again.executed == {"CMakeFiles/m.dir/main.c.o", "m"}, again.said


GLOBBED = {
    "CMakeLists.txt": HEAD
    + """
file(GLOB sources CONFIGURE_DEPENDS src/*.c)
add_executable(m ${sources})
""",
    "src/main.c": "int main(void){return 0;}\n",
}


def test_a_glob_that_is_looked_at_before_each_build(place: CMakePlace) -> None:
    place.write(GLOBBED)
    place.configure()
    assert place.by_windrow().executed == {"CMakeFiles/m.dir/src/main.c.o", "m"}
    for _ in range(3):  # the second time it is at rest, and asks even so
        again = place.by_windrow().said.splitlines()
        assert again[1:] == ["[0/1] Re-checking globbed directories...", "ninja: no work to do."]
    assert (place.tree / "build/.windrow/rest").exists()

    place.write({"src/more.c": "int more;\n"})
    more = place.by_windrow("m")
    (place.tree / "src/more.c").unlink()
    less = place.by_windrow()

    assert more.executed == {"CMakeFiles/m.dir/src/more.c.o", "m"}
    # Once before CMake has made the build file anew, and once after that, as with ninja.
    assert more.said.count("Re-checking") == less.said.count("Re-checking") == 2
    assert "Re-running CMake" in less.said and less.code == 0
    made = place.outputs()
    place.configure()
    assert place.by_ninja().code == 0
    assert place.outputs().keys() == made.keys() - {"CMakeFiles/m.dir/src/more.c.o"}
