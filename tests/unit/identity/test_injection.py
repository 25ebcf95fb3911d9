"""Hostile values in every field of a topology: refused by the field's name, or harmless in every rendered file."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from identity.structure import markdown, shell, shown, sql, structures
from multisite.domain.errors import Invalid
from multisite.identity.render import everything
from multisite.identity.topology import file as topology_file
from multisite.identity.topology.model import Topology

EXAMPLES = Path(__file__).parents[3] / "docs/examples/identity"
HOSTILE = {
    "option": "x\nadmin_token = evil",
    "section": "x\n[DEFAULT]\ndebug = true",
    "carriage return": "x\rx",
    "tab": "x\tx",
    "interpolation": "%(connection)s",
    "substitution": "$connection",
    "command": "$(id)",
    "backquotes": "`id`",
    "semicolon": "x; id",
    "ampersand": "x && id &",
    "quote": "x' OR '1'='1",
    "double quote": 'x" y="1',
    "backslash": "x\\",
    "relative": "../../x",
    "absolute relative": "/etc/keystone/../../srv/x",
    "absolute dot": "/etc/./x//y",
    "NUL": "x\0y",
    "escape": "x\x1b[2Jx",
    "line separator": "x\u2028x",
    "next line": "x\u0085x",
    "right to left": "x\u202excod",
    "dash": "-oProxyCommand=id",
    "comment": "#x",
    "section alone": "[keystone_authtoken]",
    "template": "{{7*7}}",
    "table": "x | y |\n|---|---|",
    "script": "<script>alert(1)</script>",
    "link": "[x](javascript:x) ![y](http://z) **b** ~~c~~",
    "long": "x" * 10_000,
    "empty": "",
    "space": " ",
    "spaces within": " x y ",
}
PATHS = Iterator[tuple[Any, ...]]


def filled(name: str) -> dict[str, Any]:
    """An example with all its fields."""
    topology = topology_file.read(EXAMPLES / f"{name}.yaml")
    content: dict[str, Any] = json.loads(json.dumps(asdict(topology)))
    return {"version": 1} | content


def strings(value: Any, path: tuple[Any, ...] = ()) -> PATHS:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(item, str):
            yield (*path, key)
        yield from strings(item, (*path, key))


def changed(content: dict[str, Any], path: tuple[Any, ...], value: object) -> dict[str, Any]:
    result = copy.deepcopy(content)
    place: Any = result
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return result


def at(content: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        content = content[part]
    return content


def named(error: Invalid, path: tuple[Any, ...]) -> bool:
    """In lines that anybody can print, the field itself or, between sites of several owners, what is wrong."""
    text = str(error)
    field = topology_file.where(path)
    return all(line.isprintable() and len(line) < 1000 for line in text.split("\n")) and (
        f"{field}: " in text
        or (path[-1] == "owner" and text.startswith("sites: Keystones of different owners"))
    )


def accepted(content: dict[str, Any], path: tuple[Any, ...], value: str) -> str:
    """Why this is an injection; "" when it was refused in the right words or is harmless."""
    try:
        topology = topology_file.checked(changed(content, path, value))
    except Invalid as error:
        return "" if named(error, path) else f"refused without its name: {error!s:.300}"
    if (path, value) == (("arbitrator", "site"), ""):
        return ""  # legal: its files have a folder of their own, and a warning says so
    free_text = path[-1] == "owner" and "keys" not in path
    plain = "acme" if free_text else at(content, path)
    clean, hostile = (
        everything.files(topology_file.checked(changed(content, path, plain))),
        everything.files(topology),
    )
    try:
        if structures(clean) != structures(hostile):
            return "changes what files mean"
    except Exception as error:  # whatever a parser says of it
        return f"files cannot be read: {error!r}"
    for one, other in zip(clean, hostile, strict=True):
        owners = ", ".join(sorted(["''", value]))
        wanted = shown(one.text).replace("owners '', acme", f"owners {owners}" if value else "")
        if one.text != other.text and not (one.name == "RUNBOOK.md" and shown(other.text) == wanted):
            return f"{one.name} shows it as something else"
    return ""


@pytest.mark.parametrize("name", ["jws", "multi-cluster"])
def test_no_injected_value_is_accepted(name: str) -> None:
    content = filled(name)
    paths = list(strings(content))
    found = [
        (topology_file.where(path), kind, why)
        for path in paths
        for kind, value in HOSTILE.items()
        if value != at(content, path) and (why := accepted(content, path, value))
    ]
    assert len(paths) * len(HOSTILE) > 2000
    assert not found, f"{len(found)} of {len(paths) * len(HOSTILE)}: {found[:5]}"


# --- the judge itself: objects made by code are not checked, so that what would be accepted can be made


def star() -> Topology:
    return topology_file.checked(filled("jws"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x\n[DEFAULT]\nadmin_token = evil"),
        ("name", "x\u2028[DEFAULT]"),
        ("name", "x\x1b[2J"),
        ("galera_cluster", 'x"\nGALERA_OPTIONS="evil'),
        ("entry", "http://x/v3\nadmin_token = evil"),
        ("entry", "http://x/v3; id"),
    ],
)
def test_the_judge_sees_what_a_value_does(field: str, value: str) -> None:
    assert _judged(replace(star(), **{field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../../root"),
        ("name", "x\n# Headline"),
        ("region", "x; id"),
        ("region", "x y"),
        ("address", "192.0.2.1\nadmin_token = evil"),
        ("address", "192.0.2.1 backup"),
        ("memcached", ("x:1\n[evil]",)),
    ],
)
def test_the_judge_sees_what_a_sites_value_does(field: str, value: object) -> None:
    first, *others = star().sites
    assert _judged(replace(star(), sites=(replace(first, **{field: value}), *others)))


def test_the_judge_sees_what_a_databases_value_does() -> None:
    first, *others = star().sites
    database = replace(first.databases[0], address="x', master_password = 'y")
    assert _judged(replace(star(), sites=(replace(first, databases=(database,)), *others)))


def _judged(topology: Topology) -> bool:
    clean = structures(everything.files(star()))
    try:
        return structures(everything.files(topology)) != clean
    except Exception:  # what a parser or an assertion says of it
        return True


@pytest.mark.parametrize("text", ["# x", "`x`", "**x**", "<b>", "- x", "a | b\n|---|---|", "[x](y)", "    x"])
def test_the_judge_reads_markdown(text: str) -> None:
    assert markdown(text) != markdown("x")


def test_the_judge_reads_sql_and_shell() -> None:
    assert sql("SELECT 'a''b', 'c'; -- d") == ["SELECT", "literal", ",", "literal", ";", "comment"]
    assert sql("SELECT 'a'; DROP x") != sql("SELECT 'a\\'; DROP x'")
    assert shell("region x; id") != shell("region x")
    assert shell('A="b c"') == shell('A="b"')


# --- what is legal


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("sites", 0, "owner"), "Télécom Ørsted & Söhne (東京), 50 %"),
        (("sites", 0, "owner"), "acme_eu"),
        (("sites", 0, "address"), "keystone-1.paris.example.com"),
        (("sites", 0, "address"), "Keystone1"),
        (("sites", 0, "region"), "eu-west.1_a"),
        (("sites", 0, "memcached", 0), "cache.paris:11211"),
        (("sites", 0, "keys", "fernet_tokens"), "/srv/.keys/fernet-0/"),
        (("sites", 0, "keys", "client_key"), "/home/bjørn/My keys/id_ed25519"),
        (("sites", 0, "keys", "owner"), "svc.keystone-1"),
        (("sites", 0, "keys", "owner"), "42424"),
        (("sites", 0, "keys", "group"), ""),
        (("sites", 0, "keys", "user"), "_keystone"),
        (("entry",), "https://identity.example.com/v3"),
        (("arbitrator", "site"), "third"),
        (("galera_cluster",), "keystone_1"),
    ],
)
def test_what_is_legal_is_taken(path: tuple[Any, ...], value: str) -> None:
    content = json.loads(json.dumps(asdict(topology_file.checked(changed(filled("jws"), path, value)))))
    assert at(content, path) == value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("sites", 0, "address"), "300.1.1.1"),
        (("sites", 0, "address"), "1.2.3"),
        (("sites", 0, "address"), "2130706433"),
        (("sites", 0, "address"), "a..b"),
        (("sites", 0, "address"), "-a.b"),
        (("sites", 0, "address"), "a" * 64),
        (("sites", 0, "memcached", 0), "cache:0"),
        (("sites", 0, "memcached", 0), "cache:65536"),
        (("sites", 0, "memcached", 0), "cache:²"),
        (("sites", 0, "keys", "fernet_tokens"), "/etc/keystone/.."),
        (("sites", 0, "keys", "fernet_tokens"), "/"),
        (("sites", 0, "keys", "known_hosts"), "known_hosts"),
        (("sites", 0, "keys", "known_hosts"), "/a//b"),
        (("sites", 0, "keys", "owner"), "4294967295"),
        (("sites", 0, "keys", "owner"), "²"),
        (("sites", 0, "keys", "user"), ""),
        (("sites", 0, "port"), 65536),
        (("sites", 0, "port"), "5000; id"),
        (("sites", 0, "port"), True),
        (("sites", 0, "port"), 5e3),
        (("tokens", "expiration"), -1),
        (("tokens", "expiration"), 10**30),
        (("entry",), "http://192.0.2.5:99999/v3"),
        (("entry",), "http://olga:pw@192.0.2.5/v3"),
        (("entry",), "http://192.0.2.5/v3?x"),
        (("entry",), "file:///v3"),
        (("sites", 0, "keys", "x\x1b[2J"), "y"),
    ],
)
def test_what_is_not_is_named(path: tuple[Any, ...], value: object) -> None:
    with pytest.raises(Invalid) as caught:
        topology_file.checked(changed(filled("jws"), path, value))
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith(f"{topology_file.where(path)}: ")


def test_an_owner_is_shown_as_it_is_written() -> None:
    content = changed(filled("jws"), ("sites", 0, "owner"), "<b>_A_|`B`* [c](d) &lt; \\ e_f")
    (text,) = (
        file.text for file in everything.files(topology_file.checked(content)) if file.name == "RUNBOOK.md"
    )
    assert "owners '', <b>_A_|`B`* [c](d) &lt; \\ e_f share" in shown(text)


def test_a_yaml_file_gives_the_same_errors() -> None:
    text = (EXAMPLES / "jws.yaml").read_text().replace("name: europe", 'name: "x\\nadmin_token: evil"')
    with pytest.raises(Invalid, match=r"^name: 'x\\nadmin_token: evil' is wrong: give letters, digits"):
        topology_file.parsed(text)


@pytest.mark.parametrize(
    "text",
    [
        'version: 1\nname: "\\udc80"',
        "version: 1\nname: &a [*a]",
        "version: 1\nname: " + "[" * 3000,
        "version: 1\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 9)}]\n" for n in range(9)),
    ],
    ids=["half of a character", "itself", "deep", "wide"],
)
def test_a_file_that_is_no_tree_of_text_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        topology_file.parsed(text)
