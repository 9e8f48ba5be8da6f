from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from rostra.execution import host
from rostra.execution.host import SandboxMissing, unprotected
from rostra.execution.sandbox import HostFacts

GOOD = HostFacts(
    root=True,
    uid=0,
    gid=0,
    bwrap=Path("/usr/bin/bwrap"),
    setpriv=Path("/usr/bin/setpriv"),
    prlimit=Path("/usr/bin/prlimit"),
    memory_groups=True,
    process_groups=True,
    cpu_groups=True,
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        (
            {"bwrap": None, "bwrap_why": "bubblewrap is not installed"},
            ["because bubblewrap is not installed", "shared"],
        ),
        ({"bwrap": None, "root": False, "uid": 1000}, ["No sandbox", "read the server's secrets"]),
        (
            {"bwrap": None, "memory_groups": False, "process_groups": False},
            ["No sandbox", "shared environments", "may outlive it", "No writable control group"],
        ),
        ({"setpriv": None}, ["setpriv is missing"]),
        ({"prlimit": None}, ["prlimit is missing"]),
        ({"memory_groups": False}, ["No writable control group"]),
        ({"cpu_groups": False}, ["processor limit of content has no effect"]),
    ],
)
def test_what_is_not_protected_is_said(changes: dict[str, object], said: list[str]) -> None:
    sentences = unprotected(dataclasses.replace(GOOD, **changes))  # type: ignore[arg-type]
    assert len(sentences) == len(said)
    for sentence, part in zip(sentences, said, strict=True):
        assert part in sentence


def test_off_is_off_and_says_so() -> None:
    facts = host.probe("off")
    assert facts.bwrap is None
    assert "Applications.Sandbox is off" in unprotected(facts)[0]


def test_required_without_bubblewrap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_program", lambda name: None)
    with pytest.raises(SandboxMissing, match="bubblewrap is not installed"):
        host.probe("required")
    assert "not installed" in unprotected(host.probe("auto"))[0]


def test_a_bubblewrap_that_does_not_work_is_as_good_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(host, "_program", lambda name: broken)
    facts = host.probe("auto")
    assert facts.bwrap is None
    assert "No permissions to create new namespace" in facts.bwrap_why


def test_linked_system_folders_stay_links(tmp_path: Path) -> None:
    (tmp_path / "usr" / "bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    assert host.system_folders(tmp_path) == ((tmp_path / "usr", None), (tmp_path / "bin", "usr/bin"))
