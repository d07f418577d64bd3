"""The version of Windrow; pyproject.toml takes it from here.

Asking the installed package for it loads some forty modules, which every commit would pay for.
"""

VERSION = "0.1.0"
