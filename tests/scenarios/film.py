"""Film: the blueprint of examples/movie in a throw-away tree, with inputs that tests change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from shared.clock import Clock
from tests.scenarios.real_workspace import RealWorkspace

EXAMPLE = Path(__file__).parents[2] / "examples/movie"
JOBS, LAYERS, ARTEFACTS = 17, (1, 7, 7, 1, 1), 24
FIRST = {
    "InquiryPrompt": "How do tides work?",
    "Duration": 60,
    "NumOfSegments": 3,
    "NumOfImages": 2,
    "Style": "watercolour",
    "AspectRatio": "16:9",
    "VoiceId": "calm",
    "MusicalStyle": "piano",
}


class Film(RealWorkspace):
    """Nothing is built yet."""

    def __init__(self, root: Path, *, cache: Path | None = None, clock: Clock | None = None, **inputs: object) -> None:
        super().__init__(root, cache=cache, clock=clock)
        for name in ("movie.yaml", "windrow.toml", ".gitignore"):
            shutil.copy(EXAMPLE / name, root / name)
        self.inputs = {**FIRST, **inputs}
        self.give()

    def give(self, **inputs: object) -> None:
        """Give inputs other values."""
        self.inputs.update(inputs)
        lines = [f"{name}: {json.dumps(value)}\n" for name, value in self.inputs.items()]
        self.write("inputs.yaml", "".join(lines))

    def amend(self, old: str, new: str) -> None:
        """Replace a text of the blueprint that is there once."""
        text = self.read("movie.yaml")
        assert text.count(old) == 1, text.count(old)
        self.write("movie.yaml", text.replace(old, new))

    def configure(self, producer: str, **config: object) -> None:
        """Give a producer of the blueprint a config."""
        self.amend(f"  {producer}:\n", f"  {producer}:\n    config: {json.dumps(config)}\n")

    def broken(self) -> Path:
        """A file that makes Audio[segment=1] fail as long as it is there; for a film that is not built yet."""
        folder = self.root.parent / f"{self.root.name}-failing"
        folder.mkdir()
        self.configure("Audio", failing=str(folder))
        path = folder / "Audio[segment=1]"
        path.touch()
        return path

    def ran(self) -> set[str]:
        """What the last build executed, without `Producer:`."""
        return {job.removeprefix("Producer:") for job in self.jobs("executed")}

    def outputs_on_disk(self) -> dict[str, bytes]:
        """The artefacts as they lie in the tree."""
        found = (path for path in (self.root / "movie").rglob("*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in found}


# A producer that tells how many of it run at once: each counts the folders of `inside` once it has made its own.
_PAINT = """
import json
import os
import tempfile
import time
from pathlib import Path


def image(text):
    job = json.loads(text)
    inside = Path(job["config"]["inside"])
    mine = tempfile.mkdtemp(dir=inside)
    (inside.parent / "counts" / Path(mine).name).write_text(str(len(os.listdir(inside))))
    time.sleep(SECONDS)
    os.rmdir(mine)
    Path(job["makes"]["Image"]).write_text(job["id"] + job["config"].get("film", ""))
"""


def paint(seconds: float) -> str:
    """A module with a producer `image` that takes so long; config: `inside`, a folder beside `counts`, and `film`."""
    return _PAINT.replace("SECONDS", str(seconds))
