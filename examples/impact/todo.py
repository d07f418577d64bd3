"""Writes the project of this example: 50 modules, a test file for each, and two integration tests.

5 core modules, 15 middle ones that import one of these, 30 leaves that import one of those. `python todo.py DIR [NAME]`
writes the project `todo`, or `notes` (the same core and middle, half of the leaves its own), or `weather` (the same core).
The same words give the same files, byte for byte.
"""

import sys
from pathlib import Path

CORES, MIDDLES, LEAVES = 5, 15, 30

TOML = """\
[project]
name = "{name}"

[[rule]]
name = "check"
each = "src/todo/*.py"
imports = "python"                     # what the module imports is part of the job
inputs = ["requirements.txt", "pyproject.toml"]
call = ["tools/check.py:check", "{{in}}", "{{out}}", "{ms}"]
outputs = ["build/check/{{stem}}.ok"]

[tests]
paths = ["tests/test_*.py"]
critical = ["tests/test_flow.py", "tests/test_cli.py"]
config = ["requirements.txt", "pyproject.toml"]
env = {{ PYTEST_DISABLE_PLUGIN_AUTOLOAD = "1", TODO_MS = "{ms}" }}

[emit]
folder = ".context-foundry/cache"
"""

CHECK = '''\
"""Checks a module: it compiles, and every name it imports from the project is there."""

import ast
import time
from pathlib import Path


def check(source, out, milliseconds="0"):
    """Write what was checked; an exception says what is wrong."""
    time.sleep(int(milliseconds) / 1000)
    tree = ast.parse(Path(source).read_text())
    checked = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("todo."):
            other = Path("src", *node.module.split(".")).with_suffix(".py")
            defined = {one.name for one in ast.parse(other.read_text()).body if isinstance(one, ast.FunctionDef)}
            for alias in node.names:
                if alias.name not in defined:
                    raise ImportError(f"{source}:{node.lineno}: {other} has no {alias.name}")
                checked.append(f"{node.module}.{alias.name}")
    compile(tree, source, "exec")
    Path(out).write_text("".join(f"{name}\\n" for name in checked) or "imports nothing\\n")
'''

PYPROJECT = """\
[tool.pytest.ini_options]
addopts = ""
"""


def module(name, needs, number, said=""):
    """The text of a module: a value of its own, and that of the module it imports."""
    lines = [f'"""The module {name}{said}."""', ""]
    lines += [f"from todo.{needs} import value as below", "", ""] if needs else [""]
    total = f"below() * 100 + {number}" if needs else str(number)
    return "\n".join(
        [
            *lines,
            "def value():",
            f'    """A number that every module below takes part in."""',
            f"    return {total}",
            "",
        ]
    )


def test_of(name, expected):
    """The text of a module's test file."""
    return "\n".join(
        [
            "import os",
            "import time",
            "",
            f"from todo.{name} import value",
            "",
            "",
            "def test_value():",
            '    time.sleep(int(os.environ.get("TODO_MS", "0")) / 1000)',
            f"    assert value() == {expected}",
            "",
        ]
    )


def integration(names, values):
    """The text of an integration test."""
    lines = [f"from todo.{name} import value as {name}" for name in names]
    calls = ", ".join(f"{name}()" for name in names)
    return "\n".join([*lines, "", "", "def test_together():", f"    assert [{calls}] == {values}", ""])


def files(name="todo", milliseconds=0):
    """Path to text of every file of a project."""
    made = {
        "windrow.toml": TOML.format(name=name, ms=milliseconds),
        "tools/check.py": CHECK,
        "requirements.txt": "pytest\n",
        "pyproject.toml": PYPROJECT,
        "README.md": f"# {name}\n",
        "docs/usage.md": "# Usage\n",
        ".gitignore": "build/\n.windrow/\n.context-foundry/\n",
    }
    values = {}

    def add(module_name, needs, number):
        own = name != "todo" and not (
            module_name.startswith("core")
            or (name == "notes" and (module_name.startswith("mid") or int(module_name[-2:]) >= LEAVES // 2))
        )
        if own:
            number += 50
        values[module_name] = values[needs] * 100 + number if needs else number
        made[f"src/todo/{module_name}.py"] = module(module_name, needs, number, f" of {name}" if own else "")
        made[f"tests/test_{module_name}.py"] = test_of(module_name, values[module_name])

    for number in range(CORES):
        add(f"core{number}", "", number + 1)
    for number in range(MIDDLES):
        add(f"mid{number:02d}", f"core{number % CORES}", number + 1)
    for number in range(LEAVES):
        add(f"leaf{number:02d}", f"mid{number % MIDDLES:02d}", number + 1)
    made["tests/test_flow.py"] = integration(("leaf00", "leaf01"), [values["leaf00"], values["leaf01"]])
    made["tests/test_cli.py"] = integration(("leaf02",), [values["leaf02"]])
    return made


def write(folder, name="todo", milliseconds=0):
    """Write a project into a folder."""
    for path, text in files(name, milliseconds).items():
        target = Path(folder, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


if __name__ == "__main__":
    write(*sys.argv[1:])
