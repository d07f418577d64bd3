"""Has a job's folders appear at other paths, for one command alone; a part of the supervisor's program.

For each command a mount namespace is made, entered, and left again once the command has started in it: it goes
away with the last process of the command, and the supervisor itself always sees what the machine's others see.
Nothing is written to the machine's file system. Standard library only; run as a program it prints what this
machine can do. Design: docs/design/rooted-jobs.md.
"""

# pathlib would have to be loaded:
# ruff: noqa: PTH102, PTH103, PTH106, PTH112, PTH114, PTH115, PTH116, PTH208, PTH211

from __future__ import annotations

import ctypes
import os
import stat
import sys

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_BIND, MS_REC, MS_SLAVE = 1 << 12, 1 << 14, 1 << 19
MNT_DETACH = 2
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
UNSEEN = -1  # in place of an errno: what failed is not the command
WAYS = {"mounts": False, "user-mounts": True}

_libc = ctypes.CDLL(None, use_errno=True)


class Namespaces:
    """Where this process lives, and where it takes its commands. user: in a user namespace of its own, for good."""

    def __init__(self, *, user: bool) -> None:
        self.user = user
        if user:
            ids = os.geteuid(), os.getegid()
            _check(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare")
            for name, text in (("setgroups", "deny"), ("uid_map", "{0} {0} 1"), ("gid_map", "{1} {1} 1")):
                _write(f"/proc/self/{name}", text.format(*ids))
        self._own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

    def enter(self, binds: list[list[str]], keep: list[str]) -> None:
        """Be where each source folder of `binds` appears at its target, and `keep` where they always are."""
        _check(_libc.unshare(CLONE_NEWNS), "unshare")
        try:
            # What the machine mounts from now on shall be seen here, and nothing of ours there.
            _mount(None, "/", MS_REC | MS_SLAVE)
            for _, target in binds:
                make_point(target)
            # Looked up before anything is hidden by what is mounted over it.
            sources = [(_folder(source), target) for source, target in binds]
            kept = [(_folder(path), path) for path in keep if any(_below(path, target) for _, target in binds)]
            for source, target in sources:
                _mount(f"/proc/self/fd/{source}", target, MS_BIND | MS_REC)
            for source, path in kept:
                os.makedirs(path, exist_ok=True)
                _mount(f"/proc/self/fd/{source}", path, MS_BIND)
            for fd, _ in (*sources, *kept):
                os.close(fd)
        except OSError as error:
            self.leave()
            raise OSError(UNSEEN, f"{error.strerror} ({error.filename})") from error

    def leave(self) -> None:
        """Be where this process lives."""
        if _libc.setns(self._own, CLONE_NEWNS) != 0:
            # Whatever is done from here on would be done in the wrong place.
            os._exit(1)


def make_point(target: str) -> None:
    """Have an absolute path be a folder, if it is none: in memory, over the nearest folder above it that is there."""
    above, missing = target, ""
    while not os.path.isdir(above):
        above, _, missing = above.rpartition("/")
        above = above or "/"
    if missing:
        folder = os.path.realpath(above)
        names = _names(folder, missing)
        if folder == "/":
            _rebuild_root(names)
        else:
            behind = _folder(folder)
            _memory(folder, stat.S_IMODE(os.stat(folder).st_mode))
            _restore(f"/proc/self/fd/{behind}", folder, names)
            os.close(behind)
        os.makedirs(target)


def _rebuild_root(names: list[str]) -> None:
    """A new root in memory that has these entries of the old one."""
    # It is built on any folder there is, which shows again as soon as the new root is the root.
    site = next(f"/{name}" for name in names if os.path.isdir(f"/{name}") and not os.path.islink(f"/{name}"))
    old = "/.windrow-old-root"
    _memory(site, 0o755)
    os.mkdir(site + old)
    number = SYS_PIVOT_ROOT[os.uname().machine]
    _check(_libc.syscall(ctypes.c_long(number), site.encode(), (site + old).encode()), "pivot_root")
    os.chdir("/")
    _restore(old, "", names)
    _check(_libc.umount2(old.encode(), MNT_DETACH), old)
    os.rmdir(old)


def _restore(source: str, target: str, names: list[str]) -> None:
    """Have entries of one folder appear in another; those that may not be looked at are left out."""
    for name in names:
        entry, place = f"{source}/{name}", f"{target}/{name}"
        try:
            mode = os.lstat(entry).st_mode
            if stat.S_ISLNK(mode):
                os.symlink(os.readlink(entry), place)
                continue
            if stat.S_ISDIR(mode):
                os.mkdir(place)
            else:
                os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            _mount(entry, place, MS_BIND | MS_REC)
        except (FileNotFoundError, PermissionError):
            continue


def _names(folder: str, but: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name != but]
    except PermissionError:
        return []


def _memory(folder: str, mode: int) -> None:
    data = f"mode={mode:o},size=16m".encode()
    _check(_libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", ctypes.c_ulong(0), data), folder)


def _mount(source: str | None, target: str, flags: int) -> None:
    raw = None if source is None else os.fsencode(source)
    _check(_libc.mount(raw, os.fsencode(target), None, ctypes.c_ulong(flags), None), target)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def _folder(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def way(names: list[str]) -> str:
    """The first of these WAYS that works here, tried out to the end; "" for none. Leaves this process anywhere."""
    for name in names:
        try:
            root = os.stat("/")
            namespaces = Namespaces(user=WAYS[name])
            namespaces.enter([["/proc", "/sys" if os.path.isdir("/sys") else "/dev"]], [])
            _memory("/proc", 0o755)
            namespaces.leave()
            if os.path.samestat(root, os.stat("/")):
                return name
        except OSError:
            continue
    return ""


if __name__ == "__main__":
    os.write(1, way(sys.argv[1:] or list(WAYS)).encode())
