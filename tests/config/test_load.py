from __future__ import annotations

import base64
import contextlib
import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.config.declarations import all_settings
from rostra.config.errors import ConfigProblems
from rostra.config.load import Loaded, Origin, evaluation, load
from rostra.config.sections import Settings

KEY = base64.b64encode(b"k" * 32).decode()
HOME = {"HOME": "/home/ada"}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write ``server.gcfg`` into the working folder and return its relative path."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        path = Path("server.gcfg")
        path.write_text(text, "utf-8")
        return path

    return write


def problems(path: Path | None, environ: dict[str, str] | None = None, overrides: dict[str, str] | None = None):
    with pytest.raises(ConfigProblems) as caught:
        load(path, environ or {}, overrides or {})
    return list(caught.value.problems)


def test_an_empty_file_gives_the_defaults(written) -> None:
    loaded = load(written(""), {})
    assert loaded.settings == Settings()
    assert {source.origin for source in loaded.sources.values()} == {Origin.default}


def test_a_file_is_read_with_its_places(written) -> None:
    loaded = load(
        written("[python]\nENABLED = yes\n[Python]\nExecutable = /a/python3\nExecutable = /b/python3 ; two\n"), {}
    )
    assert loaded.settings.python.enabled
    assert loaded.settings.python.executable == (Path("/a/python3"), Path("/b/python3"))
    assert loaded.sources["Python.Executable"].places == ("server.gcfg:4", "server.gcfg:5")
    assert str(loaded.sources["Python.Enabled"]) == "server.gcfg:2"


def test_every_mistake_is_said_at_once_in_the_order_of_the_file(written) -> None:
    text = """[Server]
Addres = x
[Pyton]
Enabled = true
[Python]
Enabled = maybe
Executabel = /x
Executable = x
IdleTimeout = 5s
! nonsense
[Server "main"]
DataDir = /x
[HTTP]
Listen = nowhere
"""
    assert problems(written(text)) == [
        "server.gcfg:2: [Server] Addres: no such setting; did you mean Address?",
        "server.gcfg:4: [Pyton] Enabled: no such section; did you mean Python?",
        "server.gcfg:6: [Python] Enabled: 'maybe' is neither true nor false",
        "server.gcfg:7: [Python] Executabel: no such setting; did you mean Executable?",
        "server.gcfg:8: [Python] Executable: 'x' is not an absolute path; begin it with /",
        "server.gcfg:9: [Python] IdleTimeout: no such setting; IdleTimeout belongs to [Scheduler]",
        "server.gcfg:10: expected Name = value",
        'server.gcfg:12: [Server "main"] DataDir: [Server] takes no label',
        "server.gcfg:14: [HTTP] Listen: 'nowhere' is not an address and port; "
        "write for example :3939 or 127.0.0.1:3939",
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[Licensing]\nLicenseType = Remote", "[Licensing] LicenseType"),
        ('[RPackageRepository "CRAN"]\nURL = x', '[RPackageRepository "CRAN"] URL'),
        ("[Server]\nEmailTo = a@b", "[Server] EmailTo"),
        ("[TensorFlow]\nExecutable = /opt/tf", "[TensorFlow] Executable"),
    ],
)
def test_settings_of_a_compatible_product_are_named_and_ignored(written, text: str, name: str) -> None:
    loaded = load(written(text), {})
    assert loaded.notes == (f"server.gcfg:2: {name}: not supported here, ignored",)


def test_a_file_of_a_compatible_product_can_be_pointed_at(written) -> None:
    text = """; installed by a package
[Server]
Address = https://example.org/rsc
DataDir = /var/lib/x
[HTTP]
Listen = :3939 ; as before
NoWarning = true
[Authentication]
Provider = password
[Python]
Enabled = true
Executable = /opt/python/3.12.4/bin/python3
[Logging]
ServiceLog = STDOUT
[Scheduler]
InitTimeout = 5m
"""
    loaded = load(written(text), {})
    assert loaded.settings.scheduler.init_timeout == dt.timedelta(minutes=5)
    assert len(loaded.notes) == 2


def test_variables_outrank_the_file_and_the_command_line_outranks_both(written) -> None:
    path = written("[Python]\nVersionMatching = exact\n[Server]\nLogLevel = debug\n[HTTP]\nListen = :1\n")
    environ = {"ROSTRA_SERVER_LOGLEVEL": "error", "ROSTRA_HTTP_LISTEN": ":2"}
    loaded = load(path, environ, {"http.listen": ":3"})
    assert loaded.settings.python.version_matching == "exact"
    assert loaded.settings.server.log_level == "error"
    assert loaded.settings.http.listen == ":3"
    assert str(loaded.sources["Server.LogLevel"]) == "variable ROSTRA_SERVER_LOGLEVEL"
    assert str(loaded.sources["HTTP.Listen"]) == "command line"


def test_of_two_variables_the_own_one_counts(written) -> None:
    environ = {"CONNECT_HTTP_LISTEN": ":1", "ROSTRA_HTTP_LISTEN": ":2", "CONNECT_SERVER_LOGLEVEL": "debug"}
    settings = load(written(""), environ).settings
    assert (settings.http.listen, settings.server.log_level) == (":2", "debug")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("/a:/b", ["/a", "/b"]), ("/a\n/b\n", ["/a", "/b"]), (" /a ", ["/a"]), ("", [])],
)
def test_lists_in_variables(written, text: str, expected: list[str]) -> None:
    path = written("[Python]\nExecutable = /from/file\n")
    loaded = load(path, {"ROSTRA_PYTHON_EXECUTABLE": text})
    assert list(map(str, loaded.settings.python.executable)) == expected


def test_addresses_in_a_list_are_not_torn_apart(written) -> None:
    loaded = load(
        written(""), {"ROSTRA_PYTHON_EXTRAINDEXURL": "https://one.example:8443/simple\nhttps://two.example/simple"}
    )
    assert loaded.settings.python.extra_index_url == ("https://one.example:8443/simple", "https://two.example/simple")


def test_an_unknown_own_variable_is_a_mistake(written) -> None:
    assert problems(written(""), {"ROSTRA_PYTHON_VERSION_MATCHING": "exact"}) == [
        "variable ROSTRA_PYTHON_VERSION_MATCHING: no such setting; did you mean ROSTRA_PYTHON_VERSIONMATCHING?"
    ]


def test_variables_of_clients_and_strangers_are_left_alone(written) -> None:
    environ = {
        "CONNECT_SERVER": "https://example.org",
        "CONNECT_API_KEY": "secret",
        "CONNECT_SERVER_VERSION": "2026.01",
        "CONNECT_CONTENT_GUID": "x",
        "ROSTRA_TEST_PYTHONS": "/x",
        "ROSTRA": "x",
        "ROSTRA_SERVER": "x",
        "CONNECT_": "",
        "_": "",
    }
    assert load(written(""), environ).settings == Settings()


def test_an_unsupported_variable_is_named(written) -> None:
    assert load(written(""), {"CONNECT_LICENSING_LICENSETYPE": "x"}).notes == (
        "variable CONNECT_LICENSING_LICENSETYPE: not supported here, ignored",
    )


def test_a_bad_variable_names_itself(written) -> None:
    (problem,) = problems(written(""), {"CONNECT_PYTHON_ENABLED": "perhaps"})
    assert problem.startswith("variable CONNECT_PYTHON_ENABLED: [Python] Enabled: 'perhaps'")


def test_an_unknown_override_is_a_mistake(written) -> None:
    assert problems(written(""), {}, {"Python.Enabeld": "x"}) == [
        "Python.Enabeld: no such setting; did you mean Enabled?"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[Python]\nMinimumVersion = old", "2: [Python] MinimumVersion: 'old' is not a version"),
        ("[Python]\nDeprecated = 3.9\nDeprecated = old", "2: [Python] Deprecated: 'old' is not a version or a range"),
        ("[Python]\nDeprecated = 3.8, 3.9", "2: [Python] Deprecated: '3.8, 3.9' is more than one version"),
        ("[Python]\nRetired = >3.x", "2: [Python] Retired:"),
        ("[Python]\nProbeTimeout = 0s", "2: [Python] ProbeTimeout: must be longer than 0s"),
        ("[Python]\nBuildConcurrency = 0", "2: [Python] BuildConcurrency: 0 is less than 1"),
        ("[Bootstrap]\nEnabled = true", "2: [Bootstrap] Enabled: bootstrapping needs SecretKey or SecretKeyFile"),
        ("[Bootstrap]\nEnabled = true\nSecretKey = c2hvcnQ=", "3: [Bootstrap] SecretKey: the key has 5 bytes"),
        ("[Bootstrap]\nEnabled = true\nSecretKey = ???", "3: [Bootstrap] SecretKey: the key is not base64"),
        ("[Bootstrap]\nEnabled = true\nSecretKeyFile = /nonexistent", "3: [Bootstrap] SecretKeyFile: cannot read"),
        ("[Scheduler]\nMinProcesses = 9", "2: [Scheduler] MinProcesses: 9 is more than MaxProcesses (3)"),
        ("[Scheduler]\nMaxProcesses = 99", "2: [Scheduler] MaxProcesses: is more than MaxProcessesLimit (20)"),
        ("[Scheduler]\nMaxProcesses = 0", "2: [Scheduler] MaxProcesses: 0 is less than 1"),
        ("[Scheduler]\nLoadFactor = 1.5", "2: [Scheduler] LoadFactor: 1.5 is not between 0 and 1"),
        ("[Scheduler]\nReadTimeout = 31d", "2: [Scheduler] ReadTimeout: is longer than 30d"),
        ("[Server]\nAddress = example.org", "2: [Server] Address: 'example.org' is not a URL"),
        ("[Server]\nAddress = https://example.org:x", "2: [Server] Address:"),
        ("[Server]\nDashboardPath = connect", "2: [Server] DashboardPath: 'connect' is not a path"),
        ("[Server]\nDashboardPath = /content/x", "2: [Server] DashboardPath: '/content/x' is a path the server itself"),
        ("[Server]\nDataDir = data", "2: [Server] DataDir: 'data' is not an absolute path"),
        ("[HTTP]\nListen = ::1:80", "2: [HTTP] Listen: '::1:80': put an IPv6 address in brackets"),
        ("[HTTP]\nListen = :70000", "2: [HTTP] Listen:"),
        ("[Database]\nProvider = postgres", "2: [Database] Provider: postgres needs [Postgres] URL"),
        ("[Postgres]\nURL = mysql://x", "2: [Postgres] URL: must begin with postgres://"),
    ],
)
def test_settings_that_break_a_rule(written, text: str, expected: str) -> None:
    found = problems(written(text))
    assert found[0].startswith(f"server.gcfg:{expected}"), found


@pytest.mark.parametrize("text", [KEY, f'"{KEY}"'])
def test_a_good_bootstrap_key(written, text: str) -> None:
    assert load(written(f"[Bootstrap]\nEnabled = true\nSecretKey = {text}\n"), {}).settings.bootstrap.secret_key == KEY


def test_a_bootstrap_key_in_a_file(written, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY[:20] + "\n" + KEY[20:] + "\n")
    assert load(written(f"[Bootstrap]\nEnabled = true\nSecretKeyFile = {tmp_path}/key\n"), {})


def test_problems_never_repeat_a_secret(written) -> None:
    text = "[Bootstrap]\nEnabled = true\nSecretKey = hunter2\n[Postgres]\nPassword = hunter2\nURL = x:hunter2@y\n"
    assert not [problem for problem in problems(written(text)) if "hunter2" in problem]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: None, "cannot be read: No such file or directory"),
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
        (lambda path: path.write_bytes(b"[S]\nA = \xff\n"), ":2: not UTF-8"),
        (lambda path: path.write_bytes(b";" * 1_000_001), "this is not a configuration file"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, make, expected: str) -> None:
    make(tmp_path / "x.gcfg")
    (problem,) = problems(tmp_path / "x.gcfg")
    assert expected in problem


def test_remarks_about_settings_that_do_nothing_or_little(written) -> None:
    assert "interpreters found on this machine" in load(written("[Python]\nEnabled = true\n"), {}).notes[0]
    assert "have no effect" in load(written("[Python]\nExecutable = /x\n"), {}).notes[0]
    assert "nanoseconds" in load(written("[Scheduler]\nIdleTimeout = 120\n"), {}).notes[0]
    twice = load(written("[HTTP]\nListen = :1\nListen = :2\n"), {})
    assert twice.settings.http.listen == ":2"
    assert twice.notes == ("server.gcfg:3: [HTTP] Listen: set before at server.gcfg:2; the last one counts",)


@pytest.mark.parametrize(
    ("environ", "data_dir"),
    [
        (HOME, "/home/ada/.local/share/rostra"),
        ({**HOME, "XDG_DATA_HOME": "/data"}, "/data/rostra"),
        ({**HOME, "XDG_DATA_HOME": "relative"}, "/home/ada/.local/share/rostra"),
        ({**HOME, "ROSTRA_SERVER_DATADIR": "/mine"}, "/mine"),
    ],
)
def test_the_evaluation_server(environ: dict[str, str], data_dir: str) -> None:
    loaded = evaluation(environ)
    assert loaded.settings.server.data_dir == Path(data_dir)
    assert loaded.settings.http.listen == "127.0.0.1:3939"
    assert loaded.settings.python.enabled
    assert loaded.path is None


def test_the_evaluation_server_needs_no_home() -> None:
    assert evaluation({}).settings.server.data_dir.is_absolute()


def test_every_setting_has_a_source(written) -> None:
    loaded: Loaded = load(written(""), {})
    assert list(loaded.sources) == [setting.full_name for setting in all_settings()]


@given(
    st.dictionaries(
        st.one_of(
            st.sampled_from([setting.variable for setting in all_settings()]),
            st.from_regex(r"(ROSTRA|CONNECT)_[A-Z_]{0,20}"),
        ),
        st.text(max_size=20),
        max_size=4,
    )
)
def test_no_environment_makes_it_fail_otherwise(environ: dict[str, str]) -> None:
    with contextlib.suppress(ConfigProblems):
        load(None, {**HOME, **environ})
