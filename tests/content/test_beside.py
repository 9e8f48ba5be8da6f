from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from rostra.content import beside, r_sources
from rostra.content.beside import LanguageNotHere, PackagesMissing, ProgramGone
from rostra.content.manifest import Manifest, read
from rostra.content.r_sources import Sources, Use
from rostra.content.tables import Bundle
from rostra.kinds.registry import by_name
from rostra.runtimes.model import Runtime
from rostra.runtimes.r_model import Beside, QuartoInstallation, RInstallation

INSTALLED = {"rmarkdown": "2.20", "knitr": "1.42", "shiny": "1.7.4", "plumber": "1.2.1", "reticulate": "1.28"}


def r(version: str = "4.2.2", path: str = "/usr/bin/R", pandoc: str | None = "/usr/bin/pandoc") -> RInstallation:
    runtime = Runtime(version=Version(version), executable=Path(path), target=Path(path), implementation="r")
    return RInstallation(
        runtime=runtime,
        home=Path("/usr/lib/R"),
        libraries=(Path("/usr/lib/R/site-library"),),
        packages=INSTALLED,
        pandoc=Path(pandoc) if pandoc else None,
    )


QUARTO = QuartoInstallation(version=Version("1.4.553"), executable=Path("/opt/quarto/bin/quarto"))


def manifest(mode: str, packages: dict[str, str] | None = None, **more: Any) -> Manifest:
    listed = {name: {"Source": "CRAN", "description": {"Version": text}} for name, text in (packages or {}).items()}
    told = {"version": 1, "metadata": {"appmode": mode}, "platform": "4.2.2", "packages": listed, "files": {}, **more}
    return read(json.dumps(told).encode())


def choose(told: Manifest, offer: Beside, sources: Sources = r_sources.NOTHING) -> tuple[beside.Chosen, list[str]]:
    said: list[str] = []
    return beside.choose(by_name(told.app_mode), beside.wish(told), offer, said.append, sources), said


def test_an_r_is_chosen_and_the_log_says_why() -> None:
    chosen, said = choose(manifest("rmd-static", {"knitr": "1.42"}), Beside(r=(r("4.1.0", "/old/R"), r())))
    assert chosen.r is not None
    assert str(chosen.r.version) == "4.2.2"
    assert said == [
        "Bundle requested R version 4.2.2",
        "Using R 4.2.2 from /usr/bin/R: Chose exact match",
        "All 1 R packages of the bundle are in the server's library",
    ]


def test_other_versions_of_packages_are_said() -> None:
    _, said = choose(manifest("shiny", {"shiny": "1.9.0", "knitr": "1.42"}), Beside(r=(r(),)))
    assert said[-1] == "Of these it has other versions: shiny 1.7.4 instead of 1.9.0"


def test_missing_packages_are_all_named() -> None:
    with pytest.raises(PackagesMissing) as caught:
        choose(manifest("shiny", {"shiny": "1.9.0", "zoo": "1.8", "DT": "0.3"}), Beside(r=(r(),)))
    assert caught.value.message == "R 4.2.2 of this server lacks DT, zoo"
    assert "/usr/lib/R/site-library" in caught.value.hint


def test_a_document_needs_pandoc() -> None:
    with pytest.raises(PackagesMissing, match="lacks pandoc"):
        choose(manifest("rmd-static"), Beside(r=(r(pandoc=None),)))


@pytest.mark.parametrize(("mode", "language"), [("shiny", "R"), ("rmd-static", "R"), ("quarto-static", "Quarto")])
def test_what_the_server_does_not_have_is_refused(mode: str, language: str) -> None:
    with pytest.raises(LanguageNotHere, match=f"needs {language}"):
        choose(manifest(mode), Beside())
    with pytest.raises(LanguageNotHere):
        beside.check(by_name(mode), Beside())


def test_python_content_that_lists_r_packages_needs_no_r() -> None:
    told = manifest("python-fastapi", {"zoo": "1.8"})
    assert choose(told, Beside()) == (beside.Chosen(), [])


@pytest.mark.parametrize(
    ("mode", "python", "needs"),
    [("shiny", False, False), ("shiny", True, True), ("quarto-static", True, True), ("static", True, False)],
)
def test_r_content_has_python_when_its_manifest_lists_one(mode: str, python: bool, needs: bool) -> None:
    told = manifest(mode, **({"python": {"version": "3.11.7"}} if python else {}))
    assert beside.needs_python(by_name(mode), told) is needs


def test_quarto_needs_r_only_for_its_engine() -> None:
    plain, _ = choose(
        manifest("quarto-static", quarto={"version": "1.4.0", "engines": ["jupyter"]}), Beside((), (QUARTO,))
    )
    assert plain == beside.Chosen(quarto=QUARTO)
    with pytest.raises(LanguageNotHere, match="needs R"):
        choose(manifest("quarto-static", quarto={"version": "1.4.0", "engines": ["knitr"]}), Beside((), (QUARTO,)))


@pytest.mark.parametrize(
    ("metadata", "document"),
    [
        ({"primary_rmd": "report.Rmd"}, "report.Rmd"),
        ({"entrypoint": "other.Rmd", "primary_rmd": "report.Rmd"}, "other.Rmd"),
        ({"primary_rmd": "../../etc/passwd"}, ""),
        ({"primary_rmd": 7}, ""),
        ({}, ""),
    ],
)
def test_which_document_the_manifest_names(metadata: dict[str, Any], document: str) -> None:
    told = manifest("rmd-static", metadata={"appmode": "rmd-static", **metadata})
    assert beside.wish(told).document == document


@pytest.mark.parametrize("platform", ["", "devel", "4.2.2 (patched)", None])
def test_an_odd_version_counts_as_none(platform: str | None) -> None:
    assert beside.wish(manifest("shiny", platform=platform)).r is None


def test_what_a_bundle_was_built_with_is_used_again() -> None:
    bundle = Bundle(r_version="4.2.2", r_path="/usr/bin/R")
    offer = Beside(r=(r("4.3.0", "/new/R"), r(), r(path="/other/R")))
    chosen = beside.recorded(by_name("shiny"), beside.wish(manifest("shiny")), bundle, offer)
    assert chosen.r is offer.r[1]
    moved = beside.recorded(by_name("shiny"), beside.wish(manifest("shiny")), bundle, Beside(r=offer.r[2:]))
    assert moved.r is offer.r[2], "the same version elsewhere will do"
    with pytest.raises(ProgramGone, match=r"runs on R 4\.2\.2"):
        beside.recorded(by_name("shiny"), beside.wish(manifest("shiny")), bundle, Beside(r=offer.r[:1]))


def test_a_choice_is_recorded_by_column() -> None:
    assert beside.facts(beside.Chosen(r=r(), quarto=QUARTO)) == {
        "r_version": "4.2.2",
        "r_path": "/usr/bin/R",
        "quarto_version": "1.4.553",
        "quarto_path": "/opt/quarto/bin/quarto",
    }


def test_a_missing_package_is_named_with_the_line_that_uses_it() -> None:
    sources = Sources(uses={"zoo": Use("zoo", "app.R", 3)})
    with pytest.raises(PackagesMissing) as refused:
        choose(manifest("shiny", {"zoo": "1.8", "xts": "0.1"}), Beside(r=(r(),)), sources)
    assert "lacks xts, zoo (app.R, line 3)" in refused.value.message


def test_a_package_that_is_used_and_not_listed_is_only_warned_of() -> None:
    uses = {"zoo": Use("zoo", "app.R", 3), "shiny": Use("shiny", "app.R", 1)}
    _, said = choose(manifest("shiny"), Beside(r=(r(),)), Sources(uses=uses))
    assert said[-1] == "Warning: app.R, line 3 uses zoo, which R 4.2.2 of this server lacks"


def test_a_lock_file_counts_where_the_manifest_lists_nothing() -> None:
    locked = Sources(locked={"shiny": "1.9.0", "renv": "1.0"}, locked_r="4.1.0")
    chosen, said = choose(manifest("shiny", platform=None), Beside(r=(r("4.1.0", "/old/R"), r())), locked)
    assert chosen.r is not None
    assert str(chosen.r.version) == "4.1.0"
    assert said[0] == "The manifest lists no R packages; renv.lock lists 1, which are compared and not installed"
    assert said[-1] == "Of these it has other versions: shiny 1.7.4 instead of 1.9.0"
    _, said = choose(manifest("shiny", {"knitr": "1.42"}), Beside(r=(r(),)), locked)
    assert "renv.lock" not in " ".join(said)


@pytest.mark.parametrize(
    ("built", "offer", "lost"),
    [
        ({}, Beside(), None),
        ({"r_version": "4.2.2", "r_path": "/usr/bin/R"}, Beside(r=(r(),)), None),
        ({"r_version": "4.2.2", "r_path": "/moved/R"}, Beside(r=(r(),)), None),
        ({"r_version": "4.1.0", "r_path": "/usr/bin/R"}, Beside(r=(r(),)), ("R", "4.1.0")),
        ({"r_version": "4.2.2", "r_path": "/usr/bin/R"}, Beside(), ("R", "4.2.2")),
        ({"quarto_version": "1.4.553", "quarto_path": "/q"}, Beside(quarto=(QUARTO,)), None),
        ({"quarto_version": "1.3.0", "quarto_path": "/q"}, Beside(quarto=(QUARTO,)), ("Quarto", "1.3.0")),
    ],
)
def test_what_was_recorded_may_be_gone(built: dict[str, str], offer: Beside, lost: tuple[str, str] | None) -> None:
    found = beside.gone(Bundle(**built), offer)
    assert (None if found is None else (found.language, found.version)) == lost


def test_ranges_of_r_and_quarto_are_kept_to() -> None:
    told = manifest(
        "quarto-static",
        quarto={"version": "1.4.553", "engines": ["knitr"]},
        environment={"r": {"requires": ">= 4.0, < 4.2"}, "quarto": {"requires": "~=1.4"}},
    )
    offer = Beside(r=(r("4.1.0", "/old/R"), r()), quarto=(QUARTO,))
    chosen, said = choose(told, offer)
    assert chosen.r is not None
    assert str(chosen.r.version) == "4.1.0", "also against the version the bundle was made with"
    assert "Bundle requires R >=4.0,<4.2" in said
    assert "Bundle requires Quarto ~=1.4" in said


@pytest.mark.parametrize("requires", [None, "", "R (>= 4)", "4.1", 7, ["<4"]])
def test_a_range_that_cannot_be_read_says_nothing(requires: Any) -> None:
    wanted = beside.wish(manifest("rmd-static", environment={"r": {"requires": requires}}))
    assert wanted.r_range is None
