"""RuleProject: what seed 003 builds, on declared rules.

Rules in markdown become .mdc files, one each; CLAUDE.md takes in their bodies and AGENTS.md their descriptions.
`config.yaml` is an input of every output, `project.md` and `architecture.md` of the two aggregates, and
`security/login.md` refers to `backend/auth.md`.
"""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.real_workspace import RealWorkspace

SETTINGS = """\
[project]
name = "rules"
"""

MDC = """
[[rule]]
name = "mdc-{name}"
each = ".context/rules/{name}/*.md"
inputs = [".context/config.yaml"{more}]
command = '''
{gate}
grep -q '^description: ' {{in}} || {{{{ echo {{in}}: no description >&2; exit 1; }}}}
{{{{ cat {{in}} .context/config.yaml; {extra} }}}} > {{out}}
'''
outputs = [".cursor/rules/{name}-{{stem}}.mdc"]
"""

AGGREGATES = """
[[rule]]
name = "summaries"
inputs = [{mdc}]
command = "grep -h '^description: ' {{in}} > {{out}}"
outputs = [".context/build/summaries"]

[[rule]]
name = "claude"
inputs = [{mdc}, ".context/project.md", ".context/architecture.md", ".context/config.yaml"]
command = "cat {{in}} > {{out}}"
outputs = ["CLAUDE.md"]

[[rule]]
name = "agents"
inputs = ["rule:summaries", ".context/project.md", ".context/architecture.md", ".context/config.yaml"]
command = "cat {{in}} > {{out}}"
outputs = ["AGENTS.md"]
"""

REFERENCE = ".context/rules/backend/auth.md"
LINKED = {"security": REFERENCE}

AUTH, DB, LOGIN = (f".cursor/rules/{name}.mdc" for name in ("backend-auth", "backend-db", "security-login"))
STYLE, FORMS = ".cursor/rules/frontend-style.mdc", ".cursor/rules/frontend-forms.mdc"
MDCS = {AUTH, DB, LOGIN, STYLE, FORMS}
FINAL = {*MDCS, "CLAUDE.md", "AGENTS.md"}
JOBS = 8  # five .mdc, the summaries, two aggregates


class RuleProject(RealWorkspace):
    """Nothing is built yet. `gate`: shell words that every job of a directory of rules runs first."""

    def __init__(self, root: Path, *, cache: Path | None = None, gate: str = "") -> None:
        super().__init__(root, cache=cache)
        self.gate = gate
        for name in ("backend/auth", "backend/db", "frontend/forms", "frontend/style", "security/login"):
            self.rule(name, f"How to do {name}.")
        self.write(".context/project.md", "# The project\n")
        self.write(".context/architecture.md", "# The architecture\n")
        self.write(".context/config.yaml", "version: '1'\n")
        self.settings()

    def rule(self, name: str, body: str, *, description: str | None = None) -> str:
        """Write `.context/rules/<name>.md`; its path."""
        path = f".context/rules/{name}.md"
        self.write(path, f"---\nid: {name}\ndescription: {description or name}\n---\n{body}\n")
        return path

    def settings(self, more: str = "", directories: tuple[str, ...] = ("backend", "frontend", "security")) -> None:
        """Write windrow.toml."""
        text = SETTINGS + more
        for name in directories:
            linked = LINKED.get(name, "")
            text += MDC.format(
                name=name,
                gate=self.gate,
                more=f', "{linked}"' if linked else "",
                extra=f"grep '^description: ' {linked};" if linked else "",
            )
        text += AGGREGATES.format(mdc=", ".join(f'"rule:mdc-{name}"' for name in directories))
        self.write("windrow.toml", text)

    def made(self, how: str = "executed") -> set[str]:
        """The outputs of the jobs that were come by in this way in the last build."""
        return {job.partition(":")[2] for job in self.jobs(how)}
