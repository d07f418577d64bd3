"""Names by which the system's headers include each other: a file of the project of such a name may be read instead.

A folder of `-I` comes before the system's own. So a project's `stddef.h` there is read by whoever includes
<stdio.h>, though nothing in the project names it. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

# Of the C and C++ libraries of GCC 12 and glibc 2.36, whatever their headers ask for.
_NAMES = """
    aio.h algorithm alloca.h any argp.h arm_acle.h arm_neon.h arpa/inet.h array assert.h atomic
    backward/auto_ptr.h backward/binders.h barrier bit bitset byteswap.h cassert cctype cerrno cfenv cfloat
    charconv chrono cinttypes climits clocale cmath codecvt compare complex complex.h concepts
    condition_variable coroutine cpio.h cpuid.h csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib cstring
    ctime ctype.h cuchar cwchar cwctype cxxabi.h debug/assertions.h debug/bitset debug/debug.h debug/deque
    debug/forward_list debug/functions.h debug/list debug/macros.h debug/map debug/set debug/stl_iterator.h
    debug/unordered_map debug/unordered_set debug/vector deque dirent.h dlfcn.h elf.h emmintrin.h endian.h err.h
    errno.h error.h exception execinfo.h execution expected ext/aligned_buffer.h ext/alloc_traits.h
    ext/atomicity.h ext/concurrence.h ext/numeric_traits.h ext/string_conversions.h ext/type_traits.h fcntl.h
    features-time64.h features.h fenv.h filesystem flat_map flat_set float.h fnmatch.h format forward_list
    fpu_control.h fstream ftw.h functional future generator getopt.h glob.h gnu-versions.h grp.h iconv.h
    ieee754.h ifaddrs.h immintrin.h initializer_list inttypes.h iomanip ios iosfwd iostream iso646.h istream
    iterator langinfo.h latch libgen.h libintl.h limits limits.h link.h list locale locale.h machine/ansi.h
    malloc.h map math.h mcheck.h mdspan memory memory.h memory_resource mm_malloc.h monetary.h mqueue.h mutex
    ndbm.h net/ethernet.h net/if.h net/if_arp.h netdb.h netinet/icmp6.h netinet/if_ether.h netinet/in.h
    netinet/ip.h netinet/ip6.h netinet/tcp.h netinet/udp.h new nl_types.h numbers numeric obstack.h omp.h
    optional ostream parallel/algobase.h parallel/algorithm parallel/algorithmfwd.h parallel/numeric pmmintrin.h
    poll.h print printf.h proc_service.h pstl/glue_algorithm_defs.h pstl/glue_algorithm_impl.h
    pstl/glue_execution_defs.h pstl/glue_memory_defs.h pstl/glue_memory_impl.h pstl/glue_numeric_defs.h
    pstl/glue_numeric_impl.h pstl/pstl_config.h pthread.h pwd.h quadmath.h queue random ranges ratio regex
    regex.h rpc/netdb.h rpc/types.h sched.h scoped_allocator search.h semaphore semaphore.h set setjmp.h
    shared_mutex signal.h source_location span spanstream spawn.h sstream stack stacktrace stdalign.h stdarg.h
    stdatomic.h stdbit.h stdbool.h stdc-predef.h stdckdint.h stddef.h stdexcept stdfloat stdint-gcc.h stdint.h
    stdio.h stdio_ext.h stdlib.h stdnoreturn.h stop_token streambuf string string.h string_view strings.h
    strstream syncstream sys/_types.h sys/acct.h sys/auxv.h sys/bitypes.h sys/cdefs.h sys/dir.h sys/elf.h
    sys/epoll.h sys/errno.h sys/eventfd.h sys/fcntl.h sys/file.h sys/gmon.h sys/inotify.h sys/ioctl.h sys/ipc.h
    sys/mman.h sys/mount.h sys/msg.h sys/param.h sys/personality.h sys/poll.h sys/prctl.h sys/procfs.h
    sys/ptrace.h sys/queue.h sys/quota.h sys/random.h sys/reboot.h sys/resource.h sys/select.h sys/sem.h
    sys/sendfile.h sys/shm.h sys/signal.h sys/signalfd.h sys/single_threaded.h sys/socket.h sys/stat.h
    sys/statvfs.h sys/swap.h sys/syscall.h sys/sysinfo.h sys/syslog.h sys/sysmacros.h sys/termios.h sys/time.h
    sys/timeb.h sys/timerfd.h sys/times.h sys/timex.h sys/ttydefaults.h sys/types.h sys/ucontext.h sys/uio.h
    sys/un.h sys/unistd.h sys/user.h sys/utsname.h sys/vfs.h sys/wait.h sys/xattr.h syscall.h syslimits.h
    syslog.h system_error tar.h termios.h tgmath.h thread thread_db.h threads.h time.h tr1/bessel_function.tcc
    tr1/beta_function.tcc tr1/ell_integral.tcc tr1/exp_integral.tcc tr1/gamma.tcc tr1/hypergeometric.tcc
    tr1/legendre_function.tcc tr1/modified_bessel_func.tcc tr1/poly_hermite.tcc tr1/poly_laguerre.tcc
    tr1/riemann_zeta.tcc tr1/special_function_util.h tuple type_traits typeindex typeinfo uchar.h ucontext.h
    ulimit.h unistd.h unordered_map unordered_set unwind.h utility utime.h utmpx.h valarray values.h varargs.h
    variant vector version wchar.h wctype.h wordexp.h x86intrin.h xmmintrin.h
"""
NAMES = frozenset(_NAMES.split())
BASE_NAMES = frozenset(name.rpartition("/")[2] for name in NAMES)
# Of these folders everything counts: there are too many to name.
_FAMILY = re.compile(r"(?:(.*)/)?(?:bits|linux|asm|asm-generic|gnu)/[^/]+(?:/[^/]+)?\Z")
_FAMILIES = ("bits/", "linux/", "asm/", "asm-generic/", "gnu/")


def in_family(path: str) -> str | None:
    """The folder that a file of the families lies in, or None for another file."""
    if not any(family in path for family in _FAMILIES):
        return None
    match = _FAMILY.match(path)
    return (match[1] or "") if match else None


def implicit(paths: Container[str], names: Container[str], families: Iterable[str], folders: Iterable[str]) -> set[str]:
    """The files of the project in the folders of a search that the system's headers may read.

    names: base names of all files. families: those of all files that are `in_family`.
    """
    chain = set(folders)
    present = [name for name in NAMES if name.rpartition("/")[2] in names]
    found = {path for folder in chain for name in present if (path := f"{folder}/{name}" if folder else name) in paths}
    return found | {path for path in families if in_family(path) in chain}
