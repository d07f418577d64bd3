"""The version is said once."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

from shared.version import VERSION

ROOT = Path(__file__).resolve().parents[3]


def test_the_installed_package_has_the_version_of_the_code() -> None:
    assert metadata.version("windrow") == VERSION


def test_pyproject_takes_the_version_from_the_code() -> None:
    described = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert "version" not in described["project"]
    assert described["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "shared.version.VERSION"}
