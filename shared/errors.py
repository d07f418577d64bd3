"""Every error Windrow raises on purpose.

WindrowError
├── UsageError (2)            ├── NoProject  ├── ConfigError  ├── GraphError  ├── UnknownTarget  ├── SchemaUnknown
│                             ├── PathsCollide  ├── DeletionRefused  ├── DependencyCycle (of GraphError)
├── BuildFailed (1)           ├── RemakingFailed     ├── TestsFailed (3)    ├── NothingMatched (4)
├── LockHeld (9)              ├── DifferencesFound (10)   ├── Conflict (11)
├── FarmError (32)            ├── StoreUnavailable  ├── BrokerUnavailable  ├── NoWorker  ├── LockLost
│                             ├── BlobMissing  ├── BlobCorrupt  ├── CorruptRecord
├── LocalError (36)           ├── DiskFull  ├── PermissionRefused  ├── ToolMissing  ├── UnreadableFile
├── TimeLimit (124)           └── Interrupted (130)

Each class carries its code and exit code; an instance says what, where (`at`), why
and how to mend it (`fix`). Only `cli/main.py` prints one. A user's failing command is
an outcome, not an error; only `Unavailable` errors are worth a retry.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path


class WindrowError(Exception):
    """Something went wrong that Windrow can name."""

    code = "W3700"
    exit_code = 37

    def __init__(self, what: str, *, at: str = "", why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.told = False  # whether the person has seen it already
        self.what, self.at, self.why, self.fix = what, at, why, fix


class UsageError(WindrowError):
    """The command line or the configuration asks for something that cannot be."""

    code, exit_code = "W0100", 2


class NoProject(UsageError):
    """No windrow.toml here or in any parent."""

    code = "W0101"


class ConfigError(UsageError):
    """A settings file holds a key or value that Windrow does not take."""

    code = "W0102"


class GraphError(UsageError):
    """The rules do not make a graph: two makers of one path, a missing input, an escape."""

    code = "W0201"


class DependencyCycle(GraphError):
    """Things that wait for each other."""

    code = "W0202"


class UnknownTarget(UsageError):
    """No output, rule or glob of this name."""

    code, exit_code = "W0401", 4


class SchemaUnknown(UsageError):
    """A stored record was written by a newer Windrow."""

    code = "W1202"


class NothingMatched(WindrowError):
    """The words given match nothing."""

    code, exit_code = "W0400", 4


class PathsCollide(UsageError):
    """Two files of a source folder would go to one path."""

    code = "W0501"


class DeletionRefused(UsageError):
    """An ingest would take out more than half of what is there."""

    code = "W0502"


class BuildFailed(WindrowError):
    """One job or more failed; what they printed has been shown."""

    code, exit_code = "W1001", 1


class RemakingFailed(BuildFailed):
    """The build file was to be made anew; outputs: of the edge whose command failed, if it was one.

    interrupted: somebody ended that command by a signal.
    """

    code = "W1004"
    outputs: tuple[str, ...] = ()
    command, ended_with, interrupted = "", 0, False


class TestsFailed(WindrowError):
    """Nothing failed but tests."""

    __test__ = False  # its name has pytest think otherwise
    code, exit_code = "W1002", 3


class LockHeld(WindrowError):
    """Another build of this project and branch holds the lock."""

    code, exit_code = "W0901", 9


class DifferencesFound(WindrowError):
    """A check found what it was asked to look for."""

    code, exit_code = "W1000", 10


class Conflict(WindrowError):
    """The base moved: another build committed first."""

    code, exit_code = "W1101", 11


class FarmError(WindrowError):
    """A part of the farm failed; a retry may help."""

    code, exit_code = "W3200", 32


class StoreUnavailable(FarmError):
    """A blob store did not answer; safe to retry."""

    code = "W3201"


class BrokerUnavailable(FarmError):
    """The Redis broker did not answer, or `refused`: it is full, or may not write. Safe to retry."""

    code = "W3202"

    def __init__(self, what: str, *, at: str = "", why: str = "", fix: str = "", refused: bool = False) -> None:
        super().__init__(what, at=at, why=why, fix=fix)
        self.refused = refused


class NoWorker(FarmError):
    """No live worker can take a job of this platform."""

    code = "W3203"


class LockLost(FarmError):
    """The lease ran out while building; nothing was committed."""

    code = "W0902"


class BlobMissing(FarmError):
    """A blob that a record names is not in the store."""

    code = "W3205"

    def __init__(self, hash_: str, what: str = "", *, why: str = "", fix: str = "windrow cache verify") -> None:
        super().__init__(what or f"blob {hash_} is not in the store", why=why, fix=fix)
        self.hash = hash_


class BlobCorrupt(BlobMissing):
    """A blob's bytes do not hash to its name; it was set aside and counts as missing."""

    code = "W3204"

    def __init__(self, hash_: str) -> None:
        super().__init__(hash_, f"blob {hash_} does not hash to its name")


class CorruptRecord(FarmError):
    """A manifest, pointer or result in the store cannot be read."""

    code = "W1201"


class LocalError(WindrowError):
    """What was asked cannot be done on this machine."""

    code, exit_code = "W3600", 36


class DiskFull(LocalError):
    """No space left where something had to be written."""

    code = "W3601"


class PermissionRefused(LocalError):
    """The system refused an access to a path."""

    code = "W3602"


class ToolMissing(LocalError):
    """A tool that a rule or the toolchain names is not on this machine."""

    code = "W3603"


class UnreadableFile(LocalError):
    """A source cannot be read, so nothing true can be said about it."""

    code = "W3604"


class TimeLimit(WindrowError):
    """The build took longer than --timeout allows."""

    code, exit_code = "W1240", 124


class Interrupted(WindrowError):
    """Ctrl-C or SIGTERM."""

    code, exit_code = "W1300", 130


_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def named(error: OSError, path: str | os.PathLike[str], doing: str) -> LocalError:
    """The LocalError that tells a person what `error` means for `path`; `doing` is a verb phrase."""
    where = os.fspath(path)
    # os.path.exists: Path.exists raises when a parent may not be looked into.
    folder = next((p for p in [Path(where), *Path(where).parents] if os.path.exists(p)), Path("/"))  # noqa: PTH110
    if error.errno in _FULL:
        import shutil  # noqa: PLC0415 - not for a build with nothing to do

        usage = shutil.disk_usage(folder)
        return DiskFull(
            f"no space left while {doing} {where}",
            at=where,
            why=f"{usage.free:,} bytes free of {usage.total:,} on the device of {folder}",
            fix="free some space and build again; finished jobs are kept",
        )
    if error.errno in _REFUSED:
        effective = os.access in os.supports_effective_ids
        if "writ" in doing and str(folder) == where and os.access(folder, os.W_OK, effective_ids=effective):
            # Files are replaced by others of their name: it is the folder that refuses.
            folder = folder.parent
        status = folder.stat()
        mode, owner = status.st_mode & 0o7777, status.st_uid
        why = f"{folder} has mode {mode:o}, owner uid {owner}; this process is uid {os.geteuid()}"
        if error.errno == errno.EROFS:
            why = f"the file system of {folder} is mounted read-only"
        return PermissionRefused(
            f"permission denied while {doing} {where}",
            at=where,
            why=why,
            fix=f"give this user permission to {'write to' if 'writ' in doing else 'read'} {folder}",
        )
    return LocalError(f"{error.strerror or error} while {doing} {where}", at=where)
