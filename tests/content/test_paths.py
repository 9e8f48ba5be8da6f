import pytest

from rostra.content.paths import Place, base_path, place, pool_key, split_pool

G = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("path", "expected", "why"),
    [
        (f"/content/{G}/", Place(f"/content/{G}/", G), "the item"),
        (f"/content/{G}/a/b", Place(f"/content/{G}/", G), "below it"),
        (f"/content/{G}", Place(f"/content/{G}/", G, complete=False), "the slash is missing"),
        (f"/content/{G}/_bundle7/x", Place(f"/content/{G}/_bundle7/", G, bundle_id=7), "a draft"),
        (f"/content/{G}/_bundle7", Place(f"/content/{G}/_bundle7/", G, bundle_id=7, complete=False), "its slash"),
        (f"/content/{G}/_bundle7.html", Place(f"/content/{G}/", G), "a file with such a name"),
        (f"/content/{G}/_bundle/", Place(f"/content/{G}/", G), "no number, no draft"),
        (f"/content/{G}x/", None, "another path that begins alike"),
        (f"/content/{G.upper()}/", None, "guids are lower case"),
        (f"/content/%30{G[1:]}/", None, "an encoded spelling is not the item"),
        (f"//content/{G}/", None, "a doubled slash is another path"),
        (f"/x/../content/{G}/", None, "dots are not resolved"),
        ("/sales/", Place("/sales/", vanity="/sales/"), "a vanity path"),
        ("/sales/q1", Place("/sales/", vanity="/sales/"), "below it"),
        ("/sales", Place("/sales/", vanity="/sales/", complete=False), "its slash"),
        ("/salesmen/", None, "not a prefix at a slash"),
        ("/", None, "the server's own"),
    ],
)
def test_places(path: str, expected: Place | None, why: str) -> None:
    assert place(path, ["/sales/"]) == expected, why


def test_the_longest_vanity_path_wins() -> None:
    assert place("/a/b/c", ["/a/", "/a/b/"]) == Place("/a/b/", vanity="/a/b/")


def test_a_draft_answers_under_its_own_path_even_with_a_vanity_path() -> None:
    assert base_path(G, "/sales/", 7) == f"/content/{G}/_bundle7/"
    assert base_path(G, "/sales/") == "/sales/"
    assert base_path(G, None) == f"/content/{G}/"


def test_paths_begin_with_the_servers_own() -> None:
    assert base_path(G, None, 7, server="/rsc") == f"/rsc/content/{G}/_bundle7/"
    assert base_path(G, None, server="/rsc") == f"/rsc/content/{G}/"
    assert base_path(G, "/sales/", server="/rsc") == "/rsc/sales/"


@pytest.mark.parametrize("bundle", [None, 7])
def test_pool_keys_can_be_read_back(bundle: int | None) -> None:
    assert split_pool(pool_key(G, bundle)) == (G, bundle)
