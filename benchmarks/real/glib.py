"""glib 2.74.6 by Meson: libraries, generated sources, tests."""

from __future__ import annotations

from pathlib import Path

from benchmarks.real import sources
from benchmarks.real.project import Edit, Project

_SHA256 = "069cf7e51cd261eb163aaf06c8d1754c6835f31252180aff5814e5afc7757fbc"


def _fetch(cache: Path) -> Path:
    return sources.debian("glib2.0", "2.74.6", _SHA256, cache)


PROJECT = Project(
    name="glib",
    version="2.74.6",
    fetch=_fetch,
    configure=("meson", "setup", "build", "src", "--wrap-mode=nofallback", "-Dselinux=disabled", "-Dman=false"),
    header=Edit("glib/gwakeup.h", "#define __G_WAKEUP_H__", "#define __G_WAKEUP_H__\nextern int g_wakeup_another;"),
    source=Edit("glib/gbase64.c", "gchar *\ng_base64_encode (", "int g_base64_another;\n\ngchar *\ng_base64_encode ("),
    # Of the links: what changes the flags of all units would take the time of another clean build.
    flag=("meson", "configure", "build", "-Dbsymbolic_functions=false"),
    deleted="glib/libglib-2.0.so.0.7400.6.p/gbase64.c.o",
    touched="glib/gqueue.c",
    requirements=("meson==1.12.1",),
    headers=("ffi.h", "libmount/libmount.h", "zlib.h"),
)

# Where the whole, 1,421 edges, takes too long: the two libraries at its bottom, and what is generated for them.
LIBRARIES = PROJECT._replace(
    name="glib-libraries",
    targets=(
        "glib/libglib-2.0.so.0.7400.6",
        "gobject/libgobject-2.0.so.0.7400.6",
        "gmodule/libgmodule-2.0.so.0.7400.6",
    ),
)
