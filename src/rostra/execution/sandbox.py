"""The command line that starts a launch in its sandbox. Pure: no disk, no subprocess.

What is shown of the host is listed here and nowhere else; docs/explanation/sandbox.md says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from rostra.execution.launcher import Launch, LaunchFailed, Mount

SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
HOME = Path("/tmp/home")  # noqa: S108 - inside the sandbox, where /tmp is private
ETC = (  # what programs need to look up names, check certificates, tell the time, load libraries and draw text
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "fonts",
    "gai.conf",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "magic",
    "magic.mime",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "pki/ca-trust",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/cert.pem",  # never ssl/private
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
)
FORBIDDEN = frozenset(map(Path, ("/", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/tmp", "/var")))  # noqa: S108

# The C library's own list of variables that a privileged program must ignore (sysdeps/generic/unsecvars.h). bwrap and
# setpriv run before privileges are gone, and the values are the author's: they are applied only after that. TMPDIR is
# left out: neither program uses it.
LOADER_PREFIXES = ("LD_", "MALLOC_")
LOADER_NAMES = frozenset(
    (
        "GCONV_PATH",
        "GETCONF_DIR",
        "GLIBC_TUNABLES",
        "HOSTALIASES",
        "LOCALDOMAIN",
        "LOCPATH",
        "NIS_PATH",
        "NLSPATH",
        "RESOLV_HOST_CONF",
        "RES_OPTIONS",
        "TZDIR",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What this host offers, found by `host.probe`.

    ``bwrap`` is None when it is missing, switched off, or does not work here (``bwrap_why`` says which).
    ``system`` are the operating system's folders: (path, link target or None). ``open_files`` is the most a process may
    be given. ``tmpfs_bytes`` bounds each private temporary folder; None where bubblewrap cannot.
    ``data_limit`` says whether a memory limit has to be set per process, because there is no control group for it.
    """

    root: bool
    uid: int
    gid: int
    bwrap: Path | None = None
    bwrap_why: str = ""
    setpriv: Path | None = None
    prlimit: Path | None = None
    env: Path | None = None
    system: tuple[tuple[Path, str | None], ...] = ()
    open_files: int = 4096
    processes: int = 4096
    tmpfs_bytes: int | None = None
    memory_groups: bool = False
    process_groups: bool = False
    cpu_groups: bool = False


class Descriptors(NamedTuple):
    """File descriptors that bubblewrap inherits: where it reports, and two small files it copies in."""

    info: int
    passwd: int
    group: int


def command(launch: Launch, host: HostFacts, descriptors: Descriptors | None = None) -> tuple[str, ...]:
    """Return the argv that starts ``launch``: limits, then the sandbox, then the loss of privileges, then the program.

    Without bubblewrap the same without its part; the caller then sets the working directory itself.

    Raises:
        LaunchFailed: the launch asks for what must not be shown, or the host cannot give up root.
    """
    program = (*_privileges(launch, host), *_late_environment(launch, host), *launch.argv)
    if host.bwrap is None:
        return (*_limits(launch, host), *program)
    sandbox = (
        str(host.bwrap),
        *_namespaces(launch, host),
        *_operating_system(host, descriptors),
        *_private_folders(host),
        *_mounts(launch),
        *("--remount-ro", "/"),  # what is between the mounts is nobody's to fill
        *("--chdir", str(launch.cwd)),
        "--",
    )
    return (*_limits(launch, host), *sandbox, *program)


def environment(launch: Launch, host: HostFacts) -> dict[str, str]:
    """Return the environment the command is started with. Built from nothing, never inherited.

    It is passed as an environment and not on the command line: command lines can be read by everybody on the host.
    """
    home = HOME if host.bwrap else launch.run_dir / "home"
    name = account_name(identity(launch, host)[0])
    made = {
        "PATH": SEARCH_PATH,
        "HOME": str(home),
        "TMPDIR": "/tmp" if host.bwrap else str(launch.run_dir / "tmp"),  # noqa: S108
        "LANG": "C.UTF-8",
        "USER": name,
        "LOGNAME": name,
    }
    return made | {name: value for name, value in launch.env.items() if not _loader(name)}


def identity(launch: Launch, host: HostFacts) -> tuple[int, int]:
    """Return the (uid, gid) the program runs as.

    Raises:
        LaunchFailed: that would be root.
    """
    uid, gid = launch.user if host.root and launch.user else (host.uid, host.gid)
    if uid == 0:
        raise LaunchFailed(
            "content must not run as root", hint="Name an account without privileges as Applications.RunAs."
        )
    return uid, gid


def account_name(uid: int) -> str:
    return "nobody" if uid == 65534 else "rostra"


def passwd(uid: int, gid: int) -> str:
    """Return a password file with root, the running account and nobody: the host's own would name every person."""
    lines = {0: "root:x:0:0:root:/root:/usr/sbin/nologin", 65534: _passwd_line(65534, 65534)}
    return "".join(f"{line}\n" for line in (lines | {uid: _passwd_line(uid, gid)}).values())


def group(gid: int) -> str:
    """Return the group file that goes with `passwd`."""
    lines = {0: "root:x:0:", 65534: "nogroup:x:65534:"}
    return "".join(f"{line}\n" for line in ({gid: f"rostra:x:{gid}:"} | lines).values())


def visible(path: Path, launch: Launch, host: HostFacts) -> bool:
    """Say whether ``path`` lies in something the sandbox shows."""
    if host.bwrap is None or path in _ALWAYS_THERE:
        return True
    shown = (*(folder for folder, _ in host.system), *(mount.path for mount in launch.mounts), launch.run_dir)
    return any(path.is_relative_to(folder) for folder in shown)


def _limits(launch: Launch, host: HostFacts) -> tuple[str, ...]:
    if host.prlimit is None:
        return ()
    limits = ["--core=0", f"--nofile={host.open_files}"]
    if not host.process_groups:
        # Counted over everything the account runs, so this only stops a runaway from taking the whole host.
        limits.append(f"--nproc={host.processes}")
    if launch.memory_bytes is not None and not host.memory_groups:
        limits.append(f"--data={launch.memory_bytes}")
    return (str(host.prlimit), *limits, "--")


def _namespaces(launch: Launch, host: HostFacts) -> tuple[str, ...]:
    # Real root keeps the host's user namespace: only there may it open what belongs to others (homes that are 0700)
    # and become another account afterwards. What it keeps until then is just enough for that.
    kept = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_DAC_READ_SEARCH")
    as_root = ("--cap-drop", "ALL", *(word for capability in kept for word in ("--cap-add", capability)))
    return (
        *(() if host.root else ("--unshare-user",)),
        *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
        *(() if launch.network else ("--unshare-net",)),
        *("--die-with-parent", "--new-session"),
        *(as_root if host.root else ()),
    )


def _operating_system(host: HostFacts, descriptors: Descriptors | None) -> Iterator[str]:
    for path, target in host.system:
        yield from ("--ro-bind", str(path), str(path)) if target is None else ("--symlink", target, str(path))
    for folder in ("/etc", *sorted({f"/etc/{PurePosixPath(name).parent}" for name in ETC if "/" in name})):
        yield from ("--perms", "0755", "--dir", folder)
    for name in ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    if descriptors:
        yield from ("--info-fd", str(descriptors.info))
        for number, name in ((descriptors.passwd, "passwd"), (descriptors.group, "group")):
            yield from ("--perms", "0644", "--ro-bind-data", str(number), f"/etc/{name}")


def _private_folders(host: HostFacts) -> Iterator[str]:
    yield from ("--proc", "/proc", "--dev", "/dev")
    size = ("--size", str(host.tmpfs_bytes)) if host.tmpfs_bytes else ()
    for folder in ("/tmp", "/dev/shm"):  # noqa: S108
        yield from ("--perms", "1777", *size, "--tmpfs", folder)
    yield from ("--perms", "1777", "--dir", str(HOME))


def _mounts(launch: Launch) -> Iterator[str]:
    made: set[Path] = set()
    for mount in effective_mounts(launch):
        for parent in missing_parents(mount.path, launch):
            if parent not in made:
                # bubblewrap makes parents 0700, which only root could pass through.
                yield from ("--perms", "0755", "--dir", str(parent))
                made.add(parent)
        yield from ("--bind" if mount.writable else "--ro-bind", str(mount.path), str(mount.path))


def effective_mounts(launch: Launch) -> tuple[Mount, ...]:
    """Return what to mount, parents before what lies in them, each path once; writable wins.

    Raises:
        LaunchFailed: a path is relative, climbs, or is a folder that would show the host.
    """
    asked: dict[Path, bool] = {launch.run_dir: True}
    for mount in launch.mounts:
        asked[mount.path] = asked.get(mount.path, False) or mount.writable
    for path in asked:
        if not path.is_absolute() or ".." in path.parts or path in FORBIDDEN:
            raise LaunchFailed(f"{path} must not be shown to content", hint="Show single folders below it.")
    return tuple(Mount(path, asked[path]) for path in sorted(asked, key=lambda path: path.parts))


def missing_parents(path: Path, launch: Launch) -> list[Path]:
    """Return the folders above ``path`` that nothing else brings, outermost first."""
    mounted = {mount.path for mount in launch.mounts} | {launch.run_dir}
    above = list(path.parents)[:-1]
    brought = next((index for index, parent in enumerate(above) if parent in mounted), len(above))
    return [parent for parent in reversed(above[:brought]) if parent not in _GIVEN]


_ALWAYS_THERE = frozenset(map(Path, ("/", "/tmp", "/tmp/home")))  # noqa: S108
_GIVEN = frozenset(map(Path, ("/tmp", "/usr")))  # noqa: S108 - the sandbox has them already, with their own modes


def _privileges(launch: Launch, host: HostFacts) -> tuple[str, ...]:
    uid, gid = identity(launch, host)
    if host.setpriv is None:
        if host.root:
            raise LaunchFailed(
                "content would run as root: the program setpriv is missing", hint="Install the package util-linux."
            )
        return ()
    # Becoming another account clears the wish to die with the parent; without bubblewrap it is all there is.
    alone = () if host.bwrap else ("--pdeathsig=KILL", "--no-new-privs")
    if not host.root:
        return (str(host.setpriv), *alone, "--") if alone else ()
    become = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all")
    return (str(host.setpriv), *become, *(alone or ("--no-new-privs",)), "--")


def _late_environment(launch: Launch, host: HostFacts) -> tuple[str, ...]:
    late = tuple(f"{name}={value}" for name, value in launch.env.items() if _loader(name))
    if not late:
        return ()
    if host.env is None or "=" in launch.argv[0]:
        raise LaunchFailed(
            f"{late[0].partition('=')[0]} cannot be set for {launch.argv[0]}", hint="Remove the variable."
        )
    return (str(host.env), *late)


def _loader(name: str) -> bool:
    return name.startswith(LOADER_PREFIXES) or name in LOADER_NAMES


def _passwd_line(uid: int, gid: int) -> str:
    return f"{account_name(uid)}:x:{uid}:{gid}:{account_name(uid)}:{HOME}:/usr/sbin/nologin"


def names_are_sound(env: Mapping[str, str]) -> bool:
    """Say whether every name and value can be part of an environment."""
    return all(_sound(name) and "=" not in name and "\0" not in value for name, value in env.items())


def _sound(text: str) -> bool:
    return bool(text) and "\0" not in text
