"""What `windrow-ninja` loads before it builds: what it needs, and no more."""

from __future__ import annotations

import subprocess
import sys


def test_windrow_ninja_loads_nothing_of_the_other_commands() -> None:
    code = "import sys, cli.ends, cli.ninja; print(*(n for n in ('click', 'cli.main', 'configparser') if n in sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
