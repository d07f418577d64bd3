"""Projects to inject faults into: sources of packages from PyPI, and one that holds the traps of test selection."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple


class Package(NamedTuple):
    """A release on PyPI. folder: of its modules. needs: of its tests. data: a glob of files that these read."""

    version: str
    folder: str
    needs: tuple[str, ...] = ()
    data: str = ""


PACKAGES = {
    "itsdangerous": Package("2.2.0", "src/itsdangerous", ("freezegun",)),
    "boltons": Package("26.2.0", "boltons", data="tests/*.txt"),
    # It makes an error of every warning, and pytest 9 warns of how its tests are parametrised.
    "click": Package("8.3.1", "src/click", ("pytest<9",)),
}

TRAPS = {
    "src/shop/__init__.py": "",
    "src/shop/prices.py": "RATES = [1, 2, 3]\n\n\ndef total(amount):\n    return amount * RATES[0]\n",
    "src/shop/labels.py": "from pathlib import Path\n\n\ndef label():\n    return Path('src/shop/label.txt').read_text().strip()\n",
    "src/shop/label.txt": "fresh\n",
    "src/shop/tool.py": "from shop.prices import total\n\n\ndef main():\n    print(total(5))\n\n\nif __name__ == '__main__':\n    main()\n",
    "src/shop/plugin_a.py": "NAME = 'a'\n",
    "src/shop/loading.py": "import importlib\n\n\ndef load(name):\n    return importlib.import_module(f'shop.plugin_{name}').NAME\n",
    "src/shop/mode.py": "import os\n\n\ndef mode():\n    return os.environ.get('SHOP_MODE', 'plain')\n",
    "src/shop/alone.py": "def alone():\n    return 1\n",
    "tests/conftest.py": "import pytest\nfrom shop.prices import RATES\n\n\n@pytest.fixture\ndef rates():\n    return list(RATES)\n",
    "tests/test_prices.py": "import pytest\nfrom shop.prices import RATES, total\n\n\n@pytest.mark.parametrize('rate', RATES)\ndef test_rate(rate):\n    assert 0 < rate < 9\n\n\ndef test_total():\n    assert total(2) == 2\n",
    "tests/test_labels.py": "from shop.labels import label\n\n\ndef test_label():\n    assert label() == 'fresh'\n",
    "tests/test_tool.py": "import subprocess\nimport sys\n\n\ndef test_tool():\n    done = subprocess.run([sys.executable, '-m', 'shop.tool'], capture_output=True, text=True, check=True)\n    assert done.stdout == '5\\n'\n",
    "tests/test_loading.py": "from shop.loading import load\n\n\ndef test_load():\n    assert load('a') == 'a'\n",
    "tests/test_mode.py": "from shop.mode import mode\n\n\ndef test_mode():\n    assert mode() == 'plain'\n",
    "tests/test_fixture.py": "def test_rates(rates):\n    assert rates == [1, 2, 3]\n",
    "tests/test_alone.py": "from shop.alone import alone\n\n\ndef test_alone():\n    assert alone() == 1\n",
    "tests/data/cases.json": "[[1, 1], [2, 2]]\n",
    "tests/test_cases.py": "import json\nfrom pathlib import Path\n\n\ndef test_cases():\n    for one, two in json.loads((Path(__file__).parent / 'data' / 'cases.json').read_text()):\n        assert one == two\n",
    "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['src']\n",
}

SETTINGS = """\
[project]
name = "{name}"

[tests]
python = "{python}"
pass_env = ["SHOP_MODE"]
"""


def unpack(name: str, folder: Path, python: Path) -> Path:
    """The sources of a project, fetched if need be, with a windrow.toml."""
    if name == "traps":
        tree = folder / "traps"
        for path, text in TRAPS.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
    else:
        version = PACKAGES[name].version
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*words, "--no-binary", name, "-d", str(folder), f"{name}=={version}"], check=True)
        [archive] = folder.glob(f"{name.replace('-', '_')}-*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        tree = folder / archive.name.removesuffix(".tar.gz")
    (tree / "windrow.toml").write_text(SETTINGS.format(name=name, python=python))
    return tree


def environment(folder: Path, needs: tuple[str, ...]) -> Path:
    """An environment with pytest and pytest-testmon; its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin/python"
    words = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*words, "pytest>=8,<10", "pytest-testmon==2.2.0", *needs], check=True)
    return python
