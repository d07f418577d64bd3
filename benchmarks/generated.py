"""Generated projects: N files, a job each, by rules, by a Makefile and by build.ninja."""

from __future__ import annotations

from pathlib import Path

RULES = """\
[project]
name = "generated"

[[rule]]
name = "copy"
each = "src/**/*.txt"
command = ["cp", "{in}", "{out}"]
outputs = ["build/{stem}.out"]
"""


def project(folder: Path, count: int) -> Path:
    """A project of `count` files in folders of 100."""
    (folder / "windrow.toml").write_text(RULES)
    (folder / ".gitignore").write_text("build/\n.windrow/\nmake/\nninja/\n.ninja_*\n")
    ninja = ["rule copy", "  command = cp $in $out"]
    make = ["all:"]
    for number in range(count):
        path = Path("src") / f"{number // 100:03}" / f"f{number:05}.txt"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"file {number}\n")
        ninja.append(f"build ninja/f{number:05}.out: copy {path}")
        make.append(f"all: make/f{number:05}.out\nmake/f{number:05}.out: {path}\n\tcp $< $@")
    (folder / "make").mkdir(exist_ok=True)
    (folder / "build.ninja").write_text("\n".join(ninja) + "\n")
    (folder / "Makefile").write_text("\n".join(make) + "\n")
    return folder
