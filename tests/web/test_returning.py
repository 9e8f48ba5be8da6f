import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.web.returning import safe_return

ORIGIN = "https://rostra.example.org"


@pytest.mark.parametrize(
    ("wanted", "result", "why"),
    [
        ("/content/x/", "/content/x/", "a path of ours"),
        ("/content/x/?a=1#b", "/content/x/?a=1#b", "with query and fragment"),
        (
            "/content/x/?to=https://other",
            "/content/x/?to=https://other",
            "what is in the query is content's",
        ),
        ("https://rostra.example.org/connect/", "/connect/", "our own address in full"),
        ("HTTPS://ROSTRA.example.org/connect/", "/connect/", "whatever the case"),
        (None, "/home", "nothing asked"),
        ("", "/home", "nothing asked"),
        ("https://evil.example/", "/home", "another site"),
        ("//evil.example/", "/home", "another site without a scheme"),
        ("///evil.example/", "/home", "the same with one slash more"),
        ("/\\evil.example/", "/home", "browsers read a backslash as a slash"),
        ("\\\\evil.example/", "/home", "twice"),
        ("/\t/evil.example/", "/home", "browsers drop tabs"),
        ("/\n/evil.example", "/home", "and line ends"),
        (" //evil.example", "/home", "and leading spaces"),
        ("https:evil.example", "/home", "a scheme without slashes"),
        ("https://rostra.example.org@evil.example/", "/home", "our name as a user name"),
        ("https://rostra.example.org.evil.example/", "/home", "our name as a part of another"),
        ("https://rostra.example.org//evil.example/", "/home", "ours, then another site"),
        ("javascript:alert(1)", "/home", "script"),
        ("data:text/html,x", "/home", "data"),
        ("content/x/", "/home", "relative"),
        ("/" + "x" * 3000, "/home", "longer than any address of ours"),
    ],
)
def test_only_pages_of_this_server(wanted: str | None, result: str, why: str) -> None:
    assert safe_return(wanted, origin=ORIGIN, fallback="/home") == result, why


@given(st.text(alphabet="/\\:@?#.\t\n htps%evil", max_size=20))
def test_nothing_leads_to_another_host(wanted: str) -> None:
    result = safe_return(wanted, origin=ORIGIN, fallback="/home")
    assert result.startswith("/")
    assert not result.startswith(("//", "/\\"))
