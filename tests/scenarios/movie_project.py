"""MovieProject: the graph of seed 002's tests, written out as declared rules; text files for images and sound.

Script → for each segment prompts and narration audio, and a prompt for the music → images, music → timeline →
exporter. 3 segments of 2 images: 17 jobs in layers of 1, 7, 7, 1 and 1, 24 artefacts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.scenarios.real_workspace import RealWorkspace

INPUTS = ("InquiryPrompt", "Duration", "Style", "VoiceId", "MusicalStyle", "AspectRatio")
# Each output is its own name and what went in; white space of the prompt does not matter.
MIX = "for out in {out}; do { echo $out; cat {in}; } > $out; done"
WRITE = "for out in {out}; do { echo $out; tr -s '[:space:]' ' ' < inputs/InquiryPrompt; } > $out; done"


class MovieProject(RealWorkspace):
    """Nothing is built yet. Audio[1] fails as long as `broken` exists; `probe`: shell words before every job."""

    def __init__(
        self, root: Path, *, cache: Path | None = None, segments: int = 3, images: int = 2, probe: str = ""
    ) -> None:
        super().__init__(root, cache=cache)
        self.broken, self.probe = root.parent / f"{root.name}-broken", probe
        for name in INPUTS:
            self.write(f"inputs/{name}", f"the {name}\n")
        self.blueprint(segments, images)

    def change(self, name: str, text: str = "another\n") -> None:
        """Give an input another value."""
        self.write(f"inputs/{name}", text)

    def blueprint(self, segments: int, images: int = 2) -> None:
        """Write windrow.toml for so many segments of so many images."""
        self.rules: list[str] = ['[project]\nname = "movie"\n']
        all_segments = range(segments)
        script = ["movie/title", "movie/summary", *(f"movie/narration{i}" for i in all_segments)]
        # How long it is to be is asked for, but does not change the words.
        self._rule("script", ["inputs/InquiryPrompt", "inputs/Duration"], script, WRITE)
        for i in all_segments:
            prompts = [f"movie/prompt{i}{j}" for j in range(images)]
            self._rule(f"prompts{i}", [f"movie/narration{i}", "inputs/Style"], prompts)
            guard = f"test ! -e {self.broken} && " if i == 1 else ""
            self._rule(
                f"audio{i}", [f"movie/narration{i}", "inputs/VoiceId"], [f"movie/audio{i}"], guard + "cat {in} > {out}"
            )
            for j in range(images):
                self._rule(f"image{i}{j}", [f"movie/prompt{i}{j}", "inputs/AspectRatio"], [f"movie/image{i}{j}"])
        self._rule("musicprompt", ["movie/summary", "inputs/MusicalStyle"], ["movie/musicprompt"])
        self._rule("music", ["movie/musicprompt", "inputs/Duration"], ["movie/music"])
        tracks = [f"movie/audio{i}" for i in all_segments]
        tracks += [f"movie/image{i}{j}" for i in all_segments for j in range(images)]
        self._rule("timeline", [*tracks, "movie/music", "movie/summary"], ["movie/timeline"])
        self._rule("exporter", ["movie/timeline"], ["movie/movie"])
        self.write("windrow.toml", "\n".join(self.rules))

    def _rule(self, name: str, inputs: Sequence[str], outputs: Sequence[str], command: str = MIX) -> None:
        shell = json.dumps(f"{self.probe}{command}".replace("{ ", "{{ ").replace(" }", " }}"))
        lines = [
            f'name = "{name}"',
            f"inputs = {json.dumps(inputs)}",
            f"command = {shell}",
            f"outputs = {json.dumps(outputs)}",
        ]
        self.rules.append("[[rule]]\n" + "\n".join(lines) + "\n")

    def ran(self) -> list[str]:
        """The rules of the jobs that the last build executed."""
        return sorted(job.partition(":")[0] for job in self.jobs("executed"))
