from __future__ import annotations

import pytest

from rostra.config.sections import GitCredential
from rostra.content import git_command as command
from rostra.content.git_location import location

ACCOUNT = GitCredential(host="git.example.org", username="ada", password="s3cret")
PLACE = location("https://git.example.org/x", "main", "reports/one")


@pytest.mark.parametrize(
    ("url", "credential", "used"),
    [
        ("https://git.example.org/x", ACCOUNT, True),
        ("https://git.example.org:443/x", ACCOUNT, True),
        ("https://GIT.example.org/x".lower(), ACCOUNT, True),
        ("http://git.example.org/x", ACCOUNT, False),
        ("https://git.example.org:8443/x", ACCOUNT, False),
        ("https://evil.git.example.org/x", ACCOUNT, False),
        ("https://git.example.org.evil.example/x", ACCOUNT, False),
        ("http://h:81/x", GitCredential(host="h:81", username="u", password="p", protocol="http"), True),
        ("http://h/x", GitCredential(host="h:81", username="u", password="p", protocol="http"), False),
    ],
)
def test_an_account_is_for_one_host_and_one_protocol(url: str, credential: GitCredential, used: bool) -> None:
    assert (command.account(url, [credential]) is credential) is used


def test_the_account_is_on_no_command_line() -> None:
    commands = [
        command.list_refs("git", PLACE.url),
        command.make("git", "/x"),
        command.fetch("git", PLACE.url, "refs/heads/main"),
        command.resolve("git", PLACE),
        command.archive("git", "0" * 40, "/x.tar"),
        command.list_files("git"),
    ]
    assert not any("s3cret" in word or "ada" in word for argv in commands for word in argv)


def test_what_comes_from_strangers_stands_behind_the_options() -> None:
    listed, fetched = command.list_refs("git", PLACE.url), command.fetch("git", PLACE.url, "refs/heads/main")
    assert listed.index("--") < listed.index(PLACE.url)
    assert fetched.index("--") < fetched.index(PLACE.url)


def test_git_asks_nobody_and_reads_nobodys_settings() -> None:
    env = command.environment(ACCOUNT, {"https_proxy": "http://proxy:3128"})
    assert env["GIT_TERMINAL_PROMPT"] == "0"
    assert (env["GIT_CONFIG_NOSYSTEM"], env["GIT_CONFIG_GLOBAL"]) == ("1", "/dev/null")
    assert env["GIT_ALLOW_PROTOCOL"] == "http:https"
    assert env["https_proxy"] == "http://proxy:3128"
    pairs = {env[f"GIT_CONFIG_KEY_{n}"]: env[f"GIT_CONFIG_VALUE_{n}"] for n in range(int(env["GIT_CONFIG_COUNT"]))}
    assert pairs["credential.helper"] == ""
    assert pairs["core.hooksPath"] == "/dev/null"
    assert "s3cret" not in "".join(pairs.values())
    assert "credential.https://git.example.org.helper" in pairs


def test_without_an_account_there_is_no_helper() -> None:
    env = command.environment(None, {})
    assert not any(name.startswith("ROSTRA_") for name in env)
    assert not any("helper" in value and "://" in value for value in env.values())


@pytest.mark.parametrize(
    ("line", "status", "meaning"),
    [
        ("fatal: could not read Username for 'https://h': terminal prompts disabled", 128, "asks for an account"),
        ("fatal: Authentication failed for 'https://h/x/'", 128, "refused this server's account"),
        ("fatal: repository 'https://h/x/' not found", 128, "is not there"),
        ("fatal: unable to access 'https://h/': Could not resolve host: h", 128, "cannot be reached"),
        ("fatal: unable to access 'https://h/': SSL certificate problem: unable to get", 128, "cannot be reached"),
        ("fatal: couldn't find remote ref refs/heads/x", 128, "no such branch"),
        ("fatal: remote error: upload-pack: not our ref 0123", 128, "no such branch"),
        ("error: index-pack died of signal 25", 128, "too large"),
        ("", -25, "too large"),
        ("fatal: transport 'ext' not allowed", 128, "another protocol"),
        ("fatal: something nobody has seen", 128, "cannot be read"),
        ("", 3, "git ended with 3"),
    ],
)
def test_gits_words_are_understood(line: str, status: int, meaning: str) -> None:
    problem = command.explain([line] if line else [], status)
    assert meaning in problem.message
    assert problem.hint


def test_a_repeated_password_is_taken_out() -> None:
    assert command.without_secrets("fatal: s3cret is wrong", ACCOUNT) == "fatal: *** is wrong"


def test_refs_are_read_and_nothing_else_is() -> None:
    lines = ["warning: hello", f"{'a' * 40}\trefs/heads/main", f"{'b' * 40}\trefs/tags/v1", f"{'c' * 40}\tHEAD"]
    assert command.refs(lines) == [("a" * 40, "heads", "main"), ("b" * 40, "tags", "v1")]


@pytest.mark.parametrize(
    ("said", "good"),
    [
        ("git version 2.39.5", True),
        ("git version 2.31.0", True),
        ("git version 2.30.9", False),
        ("git version 1.8.3.1", False),
        ("git version 3.0.0.windows.1", True),
        ("No such file", False),
    ],
)
def test_a_git_that_would_not_listen_is_not_used(said: str, good: bool) -> None:
    assert command.is_new_enough(said) is good
