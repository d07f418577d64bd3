"""glib 2.74.6 by Meson: libraries, generated sources, tests."""

from __future__ import annotations

from pathlib import Path

from benchmarks.real import sources
from benchmarks.real.project import Edit, Project

_SHA256 = ""


def _fetch(cache: Path) -> Path:
    return sources.debian("glib2.0", "2.74.6", _SHA256, cache)


PROJECT = Project(
    name="glib",
    version="2.74.6",
    fetch=_fetch,
    configure=("meson", "setup", "build", "src", "--wrap-mode=nofallback", "-Dselinux=disabled", "-Dman=false"),
    header=Edit("glib/gqsort.h", "", ""),
    source=Edit("glib/gbase64.c", "gchar *\ng_base64_encode (", "int g_base64_another;\n\ngchar *\ng_base64_encode ("),
    flag=("meson", "configure", "build", "-Dglib_assert=false"),
    deleted="glib/libglib-2.0.so.0.7400.6.p/gbase64.c.o",
    touched="glib/gqueue.c",
    requirements=("meson==1.9.1",),
    headers=("ffi.h", "libmount/libmount.h", "zlib.h"),
)
