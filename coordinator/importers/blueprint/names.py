"""Canonical ids of inputs, artefacts and producers, and where an artefact lies in the tree. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# Suffixes by MIME type: this table and not the system's, so that a path is the same on every machine.
SUFFIXES: Mapping[str, str] = {
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/html": ".html",
    "text/csv": ".csv",
    "application/json": ".json",
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/svg+xml": ".svg",
    "image/webp": ".webp",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/ogg": ".ogg",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
}

Turn = Sequence[tuple[str, int]]  # loop and index, outermost first


def indexed(name: str, turn: Turn) -> str:
    """`Image[segment=0][image=1]`."""
    return name + "".join(f"[{loop}={index}]" for loop, index in turn)


def input_id(name: str) -> str:
    """`Input:Style`."""
    return f"Input:{name}"


def artefact_id(name: str, turn: Turn) -> str:
    """`Artifact:Image[segment=0][image=1]`."""
    return f"Artifact:{indexed(name, turn)}"


def producer_id(name: str, turn: Turn) -> str:
    """`Producer:Image[segment=0][image=1]`."""
    return f"Producer:{indexed(name, turn)}"


def artefact_path(folder: str, name: str, turn: Turn, type_: str) -> str:
    """`movie/Image/segment-0/image-1.png`: a name or loop is letters, digits and `_`, so no two ids have one path."""
    return "/".join((folder, name, *(f"{loop}-{index}" for loop, index in turn))) + SUFFIXES.get(type_, "")
