"""Gives a store that knows nothing of a project the last revision that its workspace has a copy of."""

from __future__ import annotations

import msgspec

from coordinator import refnames
from coordinator.project import Project
from shared import canonical, hashing
from shared.clock import iso
from shared.model import stored_manifest
from shared.model.manifest import Pointer


def seed(project: Project) -> None:
    """Write the workspace's copy of the manifest and a pointer to it, unless the store has one as new.

    So a build without the shared store starts from what the workspace stands at. StoreUnavailable, LocalError.
    """
    try:
        data = (project.settings.state_dir / "manifest.json").read_bytes()
        manifest = stored_manifest.decode(data)
    except (OSError, msgspec.MsgspecError):
        return  # there is none, or none that can be used: everything is built
    refs, name = project.stores.refs, refnames.pointer(*project.name)
    known = refs.read(name)
    if known is not None and project.load_base().revision >= manifest.revision:
        return
    refs.create(refnames.manifest(*project.name, manifest.revision), data)
    now = iso(project.clock.now())
    pointer = Pointer(manifest.revision, hashing.of_bytes(data), manifest.fence, now, manifest.build)
    refs.swap(name, canonical.encode(pointer), known.tag if known else None, fence=manifest.fence)
