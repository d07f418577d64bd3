"""ContextProject: what workload W4 builds: 10 directories of 10 context rules, with references among them."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.real_workspace import RealWorkspace

DIRECTORIES = ("api", "backend", "data", "design", "docs", "frontend", "ops", "release", "security", "testing")
RULES = 100
FINAL = RULES + 2
JOBS = 2 * RULES + 5
AGGREGATES = {"CLAUDE.md", "AGENTS.md"}
MANIFEST, LOCK = ".context/.build-manifest.json", ".context/.build.lock"
LINKED = {"backend/rule-03": "rule-01.md", "backend/rule-05": "rule-03.md", "security/rule-02": "../backend/rule-01.md"}
SELECTED, UNSELECTED = "api/rule-09", "testing/rule-00"

FRONT = """\
---
id: {name}
description: How {folder} is done, part {number:02d}
domain: {folder}
priority: {priority}
---
"""
BODY = """\
The first paragraph says in short what part {number:02d} of {folder} is about.{link}

The second paragraph tells more of it, as people want to know why they should.

The third paragraph has all the details of {name}, which change most often.
"""


def mdc(name: str) -> str:
    """What a rule is compiled to."""
    return f".cursor/rules/{name.replace('/', '-')}.mdc"


def names() -> list[str]:
    """Every rule, as `backend/rule-01`."""
    return [f"{folder}/rule-{number:02d}" for folder in DIRECTORIES for number in range(RULES // len(DIRECTORIES))]


class ContextProject(RealWorkspace):
    """Nothing is built yet. settings: more of windrow.toml."""

    def __init__(
        self, root: Path, *, cache: Path | None = None, settings: str = "", rules: list[str] | None = None
    ) -> None:
        super().__init__(root, cache=cache)
        self.write("windrow.toml", f'[project]\nname = "context"\n{settings}\n[context-rules]\n')
        self.write(".context/project.md", "# The project\n\nIt builds things.\n")
        self.write(
            ".context/architecture.md", "# The architecture\n\nThree parts, and what holds them.\n\nIn detail.\n"
        )
        self.write(".context/config.yaml", 'version: "1.0"\ncompile:\n  claude:\n    max_tokens: 4000\n')
        for name in names() if rules is None else rules:
            self.rule(name)

    @classmethod
    def at(cls, root: Path) -> ContextProject:
        """A project that is there already."""
        project = cls.__new__(cls)
        RealWorkspace.__init__(project, root)
        return project

    def rule(self, name: str, body: str | None = None, **front: object) -> str:
        """Write a rule; its path."""
        folder, _, stem = name.rpartition("/")
        number = int(stem.removeprefix("rule-")) if stem.startswith("rule-") else 0
        # Spread over 0 to 100, the lowest numbers of each directory lowest.
        priority = number * 11 + DIRECTORIES.index(folder) % 2 if folder in DIRECTORIES else 50
        link = f" See [another]({LINKED[name]})." if name in LINKED else ""
        text = FRONT.format(name=name, folder=folder, number=number, priority=priority)
        for key, value in front.items():
            kept = [line for line in text.splitlines() if not line.startswith(f"{key}:")]
            kept[1:1] = [f"{key}: {value}"] if value is not None else []
            text = "\n".join(kept) + "\n"
        if body is None:
            body = BODY.format(name=name, folder=folder, number=number, link=link)
        path = f".context/rules/{name}.md"
        self.write(path, text + body)
        return path

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a part of a file that is there."""
        text = self.read(path)
        assert old in text
        self.write(path, text.replace(old, new))

    def third_paragraph(self, name: str) -> None:
        """Change the last paragraph of a rule."""
        self.edit(f".context/rules/{name}.md", "change most often", "changed just now")

    def finals(self) -> dict[str, bytes]:
        """Every output that is in the tree."""
        paths = [*sorted(self.root.glob(".cursor/rules/*")), self.root / "CLAUDE.md", self.root / "AGENTS.md"]
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in paths if path.exists()}
