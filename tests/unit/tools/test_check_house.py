"""Every rule of the house finds its breach, and nothing where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import check_house as house


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(house, "ROOT", tmp_path)
    return tmp_path


def written(root: Path, **texts: str) -> list[Path]:
    """Files by name, with ``__`` for a slash; modules unless they end otherwise."""
    files = [root / name.replace("__", "/").replace("_md", ".md") for name in texts]
    files = [file if file.suffix else file.with_suffix(".py") for file in files]
    for file, text in zip(files, texts.values(), strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return files


def test_a_package_without_a_readme(root: Path) -> None:
    files = [*written(root, src__a__x=""), root / "src/a/__init__.py"]
    assert list(house.without_readme(files))
    written(root, src__a__README_md="what lives here")
    assert not list(house.without_readme(files))


def test_a_module_that_is_too_long(root: Path) -> None:
    assert list(house.too_long(written(root, src__a="\n" * 401)))
    assert not list(house.too_long(written(root, src__a="\n" * 400, tests__b="\n" * 500)))


def test_words_that_may_not_be_there(root: Path) -> None:
    assert list(house.forbidden(written(root, docs__a_md="see /" + "root/a")))
    assert not list(house.forbidden(written(root, docs__a_md="see /etc/a")))


def test_folders_in_disguise(root: Path) -> None:
    files = written(root, src__a__net="", src__a__net_plan="", src__a__net_view="", src__b__net_more="")
    (found,) = house.prefixes(files)
    assert found == "src/a: net, net_plan, net_view: make a folder net/ of them"
    assert not list(house.prefixes(files[1:]))
    assert not list(house.prefixes(written(root, tests__test_a="", tests__test_b="", tests__test_c="")))


@pytest.mark.parametrize(
    "word", ["realise", "Organisation", "behaviour", "colours", "licence", "centre", "catalogue", "grey"]
)
def test_british_words(root: Path, word: str) -> None:
    (found,) = house.spelling(written(root, docs__a_md=f"one\nand {word}"))
    assert found == f"docs/a.md:2: {word!r}: use the American spelling".replace(
        repr(word), repr(found.split("'")[1])
    )
    assert not list(house.spelling(written(root, tests__a=word, src__migrations__b=word)))


def test_american_words(root: Path) -> None:
    text = "realize, behavior, color, license, center, entrée, parentheses, promise, revised, analysis, greyhound"
    assert not list(house.spelling(written(root, docs__a_md=text)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import multisite", 1),
        ("from multisite.identity import check", 1),
        ("try:\n    import multisite.domain\nexcept ImportError:\n    pass", 1),
        ("class A:\n    from multisite import domain", 1),
        ("if TYPE_CHECKING:\n    from multisite.identity import check", 0),
        ("def run():\n    from multisite.identity import check", 0),
        ("import multisite_client", 0),
    ],
)
def test_the_client_starts_without_the_service(root: Path, text: str, found: int) -> None:
    assert len(list(house.client_imports(written(root, client__src__a=text)))) == found
    assert not list(house.client_imports(written(root, src__a=text)))


@pytest.mark.parametrize("how", ["{}", "def run():\n    {}", "if TYPE_CHECKING:\n    {}"])
def test_modules_that_need_each_other(root: Path, how: str) -> None:
    files = written(
        root,
        src__m__a=how.format("from m import b"),
        src__m__b="from m.c import x",
        src__m__c="import m.a",
        src__m__d="from m import a",
    )
    (found,) = house.import_circles(files)
    assert found.startswith("m.a, m.b, m.c: need each other")
    assert not list(house.import_circles(written(root, src__m__c="")[:1] + files[:2] + files[3:]))


def test_features_import_services_only(root: Path) -> None:
    files = written(
        root, src__multisite__recovery__a="def run():\n    from multisite.networks.stretch.plan import x"
    )
    assert list(house.through_services(files))
    text = (
        "from multisite.sites.service import S\nfrom multisite.recovery.b import y\nimport multisite.clouds"
    )
    assert not list(house.through_services(written(root, src__multisite__recovery__a=text)))


def test_plugins_know_nothing_of_the_service(root: Path) -> None:
    assert list(house.plugins_apart(written(root, plugins__nova__src__p__a="import multisite.domain")))
    assert not list(house.plugins_apart(written(root, plugins__nova__src__p__a="import multisite_nova")))


def test_functions_that_are_too_long(root: Path) -> None:
    text = 'def run():\n    """Says\n    what."""\n' + "    x = 1\n" * 40
    assert not list(house.long_functions(written(root, src__a=text)))
    assert list(house.long_functions(written(root, src__a=text + "    x = 1\n")))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("site = sites.open_for_service(name)", 1),
        ("opener = self._clouds.open_for_service", 1),
        ("cloud = site.administrator(True)", 1),
        ("from multisite.clouds.administrator import QUIESCE, administrator", 0),
        ("from multisite.clouds.connect import open_site", 1),
        ("from openstack.connection import Connection", 1),
        ("site = sites.open(name, for_project=ctx.project_id)", 0),
    ],
)
def test_sites_opened_for_nobody(root: Path, text: str, found: int) -> None:
    assert len(list(house.for_whom(written(root, src__multisite__networks__a=text)))) == found
    assert not list(house.for_whom(written(root, src__multisite__sites__service=text, tests__a=text)))
