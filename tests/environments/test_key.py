"""Equal needs, equal key; other needs, another."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.build_shell import runtime_of

from rostra.environments.index import IndexSettings
from rostra.environments.key import environment_key
from rostra.environments.requirements import parse

RUNTIME = runtime_of("/usr/bin/python3")
LINES = ["flask==3.0", "pandas>=2 ; python_version > '3.8'", "six", "git+https://x.org/a.git@v1#egg=a", "Jinja2~=3.1"]


def key(text: str, *, installer: str = "uv", digest: str = "", index: IndexSettings | None = None) -> str:
    wanted = parse(text, bundle_dir=Path("/nowhere"))
    settings = (index or IndexSettings()).with_options(wanted.options)
    return environment_key(RUNTIME, wanted, installer=installer, index=settings, parts_digest=digest)


@given(st.permutations(LINES), st.integers(0, 9))
def test_order_comments_and_spelling_do_not_matter(lines: list[str], seed: int) -> None:
    chance = random.Random(seed)
    dressed = [f"{'# why' if chance.random() < 0.5 else ''}\n{line.replace('==', ' == ')}  # so" for line in lines]
    assert key("\r\n".join(dressed)) == key("\n".join(LINES))


@given(st.sets(st.sampled_from(LINES)), st.sets(st.sampled_from(LINES)))
def test_different_sets_have_different_keys(one: set[str], other: set[str]) -> None:
    assert (key("\n".join(one)) == key("\n".join(other))) is (one == other)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("six==1.0", "a version"),
        ("six --hash=sha256:aa", "a hash"),
        ("six\n--pre", "an option"),
        ("six\n-i https://other.org/simple", "an index"),
        ("six\n--no-binary six", "how it is built"),
        ("six\n--require-hashes", "how it is checked"),
    ],
)
def test_whatever_changes_the_outcome_changes_the_key(text: str, why: str) -> None:
    assert key(text) != key("six"), why


def test_installer_digest_and_server_index_take_part() -> None:
    keys = {
        key("six"),
        key("six", installer="pip"),
        key("six", digest="d"),
        key("six", index=IndexSettings(index_url="https://o")),
    }
    assert len(keys) == 4


def test_constraints_are_not_requirements(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("six==1.0\n")
    constrained = parse("-c c.txt", bundle_dir=tmp_path)
    required = parse("-r c.txt", bundle_dir=tmp_path)
    ask = {"installer": "uv", "index": IndexSettings()}
    assert environment_key(RUNTIME, constrained, **ask) != environment_key(RUNTIME, required, **ask)  # type: ignore[arg-type]


def test_another_interpreter_behind_the_same_path_has_another_key() -> None:
    wanted = parse("six", bundle_dir=Path("/nowhere"))
    changed = replace(RUNTIME, identity="rebuilt")
    ask = {"installer": "uv", "index": IndexSettings()}
    assert environment_key(RUNTIME, wanted, **ask) != environment_key(changed, wanted, **ask)  # type: ignore[arg-type]


def test_a_new_password_is_no_reason_to_install_again() -> None:
    one, two = (IndexSettings(index_url=f"https://me:{word}@x.org/simple") for word in ("old", "new"))
    assert key("six", index=one) == key("six", index=two)


def test_a_key_is_a_plain_folder_name() -> None:
    assert len(key("")) == 32
    assert key("").isalnum()
