"""Places: the paths of sources, of what is made on the way, and of outputs."""

from __future__ import annotations

import posixpath

from shared.context_rules.render import mdc_name


class Places:
    """Paths in the project's tree. home: the folder of the sources, `.context` as a rule; outputs lie beside it."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.beside = posixpath.dirname(home)
        self.rules = f"{home}/rules"
        self.config = f"{home}/config.yaml"
        self.project = f"{home}/project.md"
        self.architecture = f"{home}/architecture.md"
        self.made = f"{home}/.made"
        self.checked = f"{self.made}/checked.json"
        self.chosen = f"{self.made}/claude.json"
        self.told = f"{self.made}/agents.json"
        self.claude = posixpath.join(self.beside, "CLAUDE.md")
        self.agents = posixpath.join(self.beside, "AGENTS.md")
        self.manifest = f"{home}/.build-manifest.json"
        self.lock = f"{home}/.build.lock"

    def source(self, path: str) -> str:
        """A rule file, by its path below the folder of rules."""
        return f"{self.rules}/{path}"

    def parsed(self, path: str) -> str:
        """A rule as read."""
        return f"{self.made}/rules/{path}.rule.json"

    def summary(self, path: str) -> str:
        """The summary of a rule."""
        return f"{self.made}/rules/{path}.summary.json"

    def mdc(self, path: str) -> str:
        """What a rule is compiled to."""
        return posixpath.join(self.beside, ".cursor/rules", mdc_name(path))
