from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.execution.launcher import Launch, LaunchFailed, Mount
from rostra.execution.sandbox import (
    Descriptors,
    HostFacts,
    command,
    effective_mounts,
    environment,
    group,
    missing_parents,
    passwd,
    visible,
)
from rostra.ids import ProcessKey

LAUNCH = Launch(
    key=ProcessKey("k"),
    argv=("/srv/env/bin/python", "-m", "app"),
    cwd=Path("/srv/data/apps/one"),
    env={"GREETING": "hello"},
    run_dir=Path("/srv/data/run/p/k"),
    log=Path("/srv/data/jobs/log"),
    mounts=(Mount(Path("/srv/data/apps/one")), Mount(Path("/srv/env"))),
    user=(990, 991),
)
ROOT = HostFacts(
    root=True,
    uid=0,
    gid=0,
    bwrap=Path("/usr/bin/bwrap"),
    setpriv=Path("/usr/bin/setpriv"),
    prlimit=Path("/usr/bin/prlimit"),
    env=Path("/usr/bin/env"),
    system=((Path("/usr"), None), (Path("/bin"), "usr/bin")),
    memory_groups=True,
    process_groups=True,
)
PERSON = dataclasses.replace(ROOT, root=False, uid=1000, gid=1000)


def line(launch: Launch = LAUNCH, host: HostFacts = ROOT) -> str:
    return " ".join(command(launch, host, Descriptors(7, 8, 9)))


@pytest.mark.parametrize(
    ("host", "changes", "expected", "present", "why"),
    [
        (ROOT, {}, "--unshare-pid --unshare-ipc --unshare-uts", True, "own processes, memory segments and host name"),
        (ROOT, {}, "--die-with-parent --new-session", True, "ends with the launcher, cannot type into a terminal"),
        (ROOT, {}, "--unshare-user", False, "root could not pass through homes that are 0700"),
        (PERSON, {}, "--unshare-user", True, "anyone else needs a user namespace to mount"),
        (PERSON, {}, "setpriv", False, "there is nobody else to become"),
        (ROOT, {}, "--cap-drop ALL", True, "only what becoming another account takes"),
        (PERSON, {}, "--cap-drop", False, "there is nothing to drop"),
        (ROOT, {}, "--ro-bind /usr /usr --symlink usr/bin /bin", True, "the operating system as it is laid out"),
        (ROOT, {}, "--perms 0644 --ro-bind-data 8 /etc/passwd", True, "accounts are not the host's"),
        (ROOT, {}, "--ro-bind-try /etc/passwd", False, "never the host's own"),
        (ROOT, {}, "/etc/shadow", False, "never"),
        (ROOT, {}, "/etc/ssl/private", False, "never"),
        (ROOT, {}, "--perms 1777 --tmpfs /tmp", True, "a private temporary folder everybody may write"),
        (ROOT, {}, "--perms 1777 --tmpfs /dev/shm", True, "and shared memory"),
        (ROOT, {}, "--perms 0755 --dir /srv/data/run/p", True, "parents that can be passed through"),
        (ROOT, {}, "--bind /srv/data/run/p/k /srv/data/run/p/k", True, "its own folder, to write"),
        (ROOT, {}, "--ro-bind /srv/data/apps/one /srv/data/apps/one", True, "its code, to read"),
        (ROOT, {}, "--chdir /srv/data/apps/one", True, "starts where its code is"),
        (ROOT, {}, "--unshare-net", False, "content talks to databases"),
        (ROOT, {"network": False}, "--unshare-net", True, "unless told otherwise"),
        (
            ROOT,
            {},
            "--reuid=990 --regid=991 --clear-groups --bounding-set=-all --inh-caps=-all",
            True,
            "all of root goes",
        ),
        (ROOT, {}, "--no-new-privs", True, "and does not come back by a setuid program"),
        (ROOT, {}, "GREETING", False, "command lines can be read by everybody"),
        (ROOT, {}, "--nproc", False, "the control group counts processes"),
        (dataclasses.replace(ROOT, process_groups=False), {}, "--nproc=4096", True, "or a limit does"),
        (ROOT, {"memory_bytes": 1000}, "--data", False, "the control group limits memory"),
        (
            dataclasses.replace(ROOT, memory_groups=False),
            {"memory_bytes": 1000},
            "--data=1000",
            True,
            "or a limit does",
        ),
        (dataclasses.replace(ROOT, tmpfs_bytes=99), {}, "--size 99 --tmpfs /tmp", True, "bounded where it can be"),
        (dataclasses.replace(ROOT, prlimit=None), {}, "prlimit", False, "not without the program"),
        (dataclasses.replace(ROOT, bwrap=None), {}, "bwrap", False, "switched off"),
        (dataclasses.replace(ROOT, bwrap=None), {}, "--pdeathsig=KILL --no-new-privs", True, "ends with the launcher"),
        (dataclasses.replace(PERSON, bwrap=None), {}, "setpriv --pdeathsig=KILL", True, "also for a person"),
        (
            ROOT,
            {"env": {"LD_PRELOAD": "x.so"}},
            "-- /usr/bin/env LD_PRELOAD=x.so /srv",
            True,
            "only after root is gone",
        ),
    ],
)
def test_the_command_line(host: HostFacts, changes: dict[str, object], expected: str, present: bool, why: str) -> None:
    launch = dataclasses.replace(LAUNCH, **changes)  # type: ignore[arg-type]
    assert (expected in line(launch, host)) is present, why


def test_the_stages_come_in_the_order_that_keeps_the_promise() -> None:
    words = command(LAUNCH, ROOT)
    stages = [
        words.index(stage) for stage in ("/usr/bin/prlimit", "/usr/bin/bwrap", "/usr/bin/setpriv", LAUNCH.argv[0])
    ]
    assert stages == sorted(stages)
    assert words[-3:] == LAUNCH.argv


def test_private_folders_come_before_what_is_mounted_into_them() -> None:
    launch = dataclasses.replace(LAUNCH, mounts=(Mount(Path("/tmp/code")),), cwd=Path("/tmp/code"))
    words = line(launch)
    assert words.index("--tmpfs /tmp") < words.index("--ro-bind /tmp/code")


def test_the_environment_is_made_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTRA_POSTGRES_PASSWORD", "secret")
    assert environment(LAUNCH, ROOT) == {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp/home",
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
        "USER": "rostra",
        "LOGNAME": "rostra",
        "GREETING": "hello",
    }


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "LD_AUDIT", "GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "MALLOC_ARENA_MAX"]
)
def test_what_the_loader_obeys_never_reaches_a_program_with_privileges(name: str) -> None:
    launch = dataclasses.replace(LAUNCH, env={name: "/srv/data/apps/one/evil.so"})
    assert name not in environment(launch, ROOT)
    words = command(launch, ROOT)
    assert words.index(f"{name}=/srv/data/apps/one/evil.so") > words.index("/usr/bin/setpriv")


@pytest.mark.parametrize(
    ("host", "user", "why"),
    [
        (ROOT, None, "root without an account to become"),
        (ROOT, (0, 0), "root as the account to become"),
        (dataclasses.replace(ROOT, setpriv=None), (990, 990), "no program that gives root up"),
        (dataclasses.replace(ROOT, bwrap=None, setpriv=None), (990, 990), "nor without a sandbox"),
    ],
)
def test_nothing_runs_as_root(host: HostFacts, user: tuple[int, int] | None, why: str) -> None:
    with pytest.raises(LaunchFailed):
        command(dataclasses.replace(LAUNCH, user=user), host)


@pytest.mark.parametrize("path", ["/", "/etc", "/tmp", "/root", "/home", "/var", "relative", "/srv/../etc"])
def test_what_would_show_the_host_is_refused(path: str) -> None:
    with pytest.raises(LaunchFailed):
        command(dataclasses.replace(LAUNCH, mounts=(Mount(Path(path)),)), ROOT)


def test_a_person_keeps_their_account_whatever_the_launch_says() -> None:
    assert "rostra" in environment(LAUNCH, PERSON)["USER"]
    assert "--reuid" not in line(LAUNCH, PERSON)


def test_accounts_inside() -> None:
    assert passwd(990, 991).splitlines() == [
        "root:x:0:0:root:/root:/usr/sbin/nologin",
        "nobody:x:65534:65534:nobody:/tmp/home:/usr/sbin/nologin",
        "rostra:x:990:991:rostra:/tmp/home:/usr/sbin/nologin",
    ]
    assert len(passwd(65534, 65534).splitlines()) == 2
    assert group(65534) == "nogroup:x:65534:\nroot:x:0:\n"


parts = st.lists(st.sampled_from("abc"), min_size=1, max_size=4)
mounts = st.lists(st.builds(lambda p, w: Mount(Path("/srv", *p), w), parts, st.booleans()), max_size=6)


@given(mounts)
def test_parents_are_mounted_before_what_lies_in_them_and_each_once(asked: list[Mount]) -> None:
    launch = dataclasses.replace(LAUNCH, mounts=tuple(asked))
    found = [mount.path for mount in effective_mounts(launch)]
    assert sorted(set(found)) == sorted(found)
    assert set(found) == {mount.path for mount in asked} | {launch.run_dir}
    for index, path in enumerate(found):
        assert not any(later in path.parents for later in found[index:])


@given(mounts)
def test_every_folder_on_the_way_is_made_or_mounted(asked: list[Mount]) -> None:
    launch = dataclasses.replace(LAUNCH, mounts=tuple(asked))
    there = {Path("/")}
    for mount in effective_mounts(launch):
        there |= set(missing_parents(mount.path, launch))
        above = next(parent for parent in mount.path.parents if parent in there)
        assert above == mount.path.parent or any(above.is_relative_to(m.path) for m in effective_mounts(launch))
        there.add(mount.path)


@pytest.mark.parametrize(
    ("path", "seen"),
    [("/usr/bin/python3", True), ("/srv/env/bin/python", True), ("/srv/data/rostra.db", False), ("/opt/x", False)],
)
def test_what_can_be_seen(path: str, seen: bool) -> None:
    assert visible(Path(path), LAUNCH, ROOT) is seen
