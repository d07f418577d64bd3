"""Write-temp-then-rename for one file, and sweeping the temporaries that dead processes left."""

from __future__ import annotations

import functools
import os
import zlib
from pathlib import Path

from shared.clock import SystemClock
from shared.errors import named

# A temporary of another machine or another boot cannot be asked for; no write takes this many seconds.
_FOREIGN_SECONDS = 86400.0


def write_atomic(path: Path, data: bytes, *, durable: bool, modified: float | None = None, mode: int = 0o644) -> None:
    """Replace a file by these bytes: a reader sees the old ones or the new ones, never a part.

    durable: they survive a power cut once this returns. modified: its time in seconds, else now. mode: its
    permissions from the start, whatever the umask. Makes the folder if it is missing. Raises LocalError.
    """
    make_folder(path.parent, durable=durable)
    temporary = path.with_name(temporary_name(path.name))
    try:
        descriptor = create(temporary, mode)
        try:
            write_all(descriptor, data)
            if modified is not None:
                os.utime(descriptor, (modified, modified))
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        discard(temporary)
        raise named(error, path, "writing") from error
    except BaseException:
        discard(temporary)
        raise


def create(path: Path, mode: int) -> int:
    """A descriptor of a new file that has exactly this mode, whatever the umask; FileExistsError if one is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    os.fchmod(descriptor, mode)
    return descriptor


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte; OSError as os.write raises it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Have the entries of a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, *, durable: bool) -> None:
    """Make a folder and those above it; LocalError."""
    if folder.is_dir():
        return
    missing = [folder, *(parent for parent in folder.parents if not parent.exists())] if durable else []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for made in reversed(missing):
            sync_folder(made.parent)
    except OSError as error:
        raise named(error, folder, "writing") from error


def temporary_name(name: str) -> str:
    """`<name>.tmp.<pid>-<hex>`: who writes it, so that it can be swept once that process is dead."""
    return f"{name}.tmp.{os.getpid()}-{_machine()}{os.urandom(6).hex()}"


def is_temporary(name: str) -> bool:
    """Whether a file name is that of a temporary."""
    return ".tmp." in name


def sweep(folder: Path) -> int:
    """Delete the temporaries of dead processes in a folder; how many. LocalError when that is refused."""
    swept = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_temporary(entry.name) and _abandoned(entry):
                    discard(Path(entry.path))
                    swept += 1
    except FileNotFoundError:
        return swept
    except OSError as error:
        raise named(error, folder, "writing") from error
    return swept


def discard(path: Path) -> None:
    """Delete a file if it is there; OSError as os.unlink raises it."""
    path.unlink(missing_ok=True)


def _abandoned(entry: os.DirEntry[str]) -> bool:
    pid, _, rest = entry.name.rpartition(".tmp.")[2].partition("-")
    if rest.startswith(_machine()) and pid.isdigit():
        return int(pid) != os.getpid() and not _runs(int(pid))
    try:
        return SystemClock().now() - entry.stat(follow_symlinks=False).st_mtime > _FOREIGN_SECONDS
    except FileNotFoundError:
        return False


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@functools.cache
def _machine() -> str:
    """Eight digits for this boot and this process namespace: where a process id means something."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    namespace = str(Path("/proc/self/ns/pid").readlink())
    return f"{zlib.crc32((boot + namespace).encode()):08x}"
