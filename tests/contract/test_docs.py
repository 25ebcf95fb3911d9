"""Tables and pictures of docs/ are made from the code; MULTISITE_WRITE_DOCS=1 writes them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg
from oslo_policy import generator

from multisite.api import policy
from multisite.api.resources import ROUTES
from multisite.clouds.ledger import LEDGER
from multisite.clouds.ledger.model import UNSET, Field, Kind
from multisite.domain import l3_path, moving_address, planes, stretched
from multisite.networks.paths import service as paths
from multisite.networks.planes import job as planes_job

DOCS = Path(__file__).parents[2] / "docs"


def routes() -> str:
    rows = ["| method and path | what | may |", "|---|---|---|"]
    for route in ROUTES:
        if route.default != policy.PUBLIC:
            where = f"`{route.method} {route.path}`"
            rows.append(f"| {where} | {route.description} | {policy.ROLES[route.default]} |")
    return "\n".join(rows)


def commands() -> str:
    points = sorted(entry_points(group="openstack.multisite.v1"), key=lambda p: p.name)
    nouns = (
        "site",
        "project_grant",
        "application",
        "protection",
        "policy",
        "restore_point",
        "recovery",
        "drill",
        "network",
        "job",
        "audit",
        "identity",
    )
    nouns += ("address", "path", "image", "resource", "quota", "probe")
    points.sort(
        key=lambda p: next(n for n, noun in enumerate(nouns) if f"{p.name}_".startswith(f"multisite_{noun}_"))
    )
    rows = ["| command | what |", "|---|---|"]
    for point in points:
        first = (point.load().__doc__ or "").strip().splitlines()[0]
        rows.append(f"| `{point.name.removeprefix('multisite_').replace('_', ' ')}` | {first} |")
    return "\n".join(rows)


def _states(sentences: Mapping[Any, str], transitions: Sequence[tuple[StrEnum, StrEnum, str]]) -> str:
    """A picture and a table."""
    picture = ["```mermaid", "stateDiagram-v2", f"    [*] --> {_id(next(iter(sentences)))}"]
    picture += [f'    state "{state}" as {_id(state)}' for state in sentences if _id(state) != str(state)]
    picture += [f"    {_id(one)} --> {_id(other)}: {why}" for one, other, why in transitions]
    rows = [f"| {state} | {sentence} |" for state, sentence in sentences.items()]
    return "\n".join([*picture, "```", "| state | what you can rely on |", "|---|---|", *rows])


def _id(state: StrEnum) -> str:
    return str(state).replace(" ", "_")


def address_states() -> str:
    return _states(moving_address.SENTENCES, moving_address.TRANSITIONS)


def path_states() -> str:
    return _states(l3_path.SENTENCES, l3_path.TRANSITIONS)


def plane_states() -> str:
    return _states(planes.SENTENCES, planes.TRANSITIONS)


def network_states() -> str:
    return _states(stretched.SENTENCES, stretched.TRANSITIONS)


def ledger() -> str:
    return "\n".join(line for kind in LEDGER for line in _kind(kind))


def _kind(kind: Kind) -> Iterator[str]:
    yield f"## {kind.name[0].upper()}{kind.name[1:]}"
    yield f"{kind.part}  Source: [API reference]({kind.source})."
    yield "| field | what becomes of it | how | not set is |"
    yield "|---|---|---|---|"
    for one in kind.fields:
        yield f"| `{one.name}` | {one.verdict} | {_how(one)} | {_unset(one)} |"


def _how(one: Field) -> str:
    if not one.told:
        return f"{one.what}: {one.remedy}" if one.remedy else one.what
    extension = f" (extension `{one.extension}`)" if one.extension else ""
    return f"told: {one.told.replace('{value}', '...')}: {one.remedy}{extension}".replace("<", "\\<")


def _unset(one: Field) -> str:
    if not one.told or one.unset == UNSET:
        return ""
    return ", ".join(f"`{json.dumps(value)}`" for value in one.unset)


TABLES = [
    ("ledger.md", ledger),
    ("api.md", routes),
    ("cli.md", commands),
    ("addresses.md", address_states),
    ("addresses.md", path_states),
    ("planes.md", plane_states),
    ("networks.md", network_states),
]


@pytest.mark.parametrize("noun", [moving_address, l3_path, planes, stretched])
def test_every_state_has_a_sentence_and_a_way_to_it(noun: Any) -> None:
    states = set(type(next(iter(noun.SENTENCES))))
    reached = {to for _, to, _ in noun.TRANSITIONS} | {next(iter(noun.SENTENCES))}
    assert set(noun.SENTENCES) == states == reached


@pytest.mark.parametrize(
    ("outcome", "noun"), [(paths.OUTCOME, l3_path), (planes_job.OUTCOME, planes)], ids=["path", "plane"]
)
def test_what_a_job_leaves_is_in_the_picture(outcome: Mapping[Any, Any], noun: Any) -> None:
    assert set(outcome.values()) <= {to for _, to, _ in noun.TRANSITIONS}


@pytest.mark.parametrize(("name", "made"), TABLES)
def test_tables_are_as_the_code_says(name: str, made: object) -> None:
    file = DOCS / name
    text = file.read_text()
    wanted = made()  # type: ignore[operator]
    marker = f"<!-- {made.__name__} -->"  # type: ignore[attr-defined]
    whole = re.compile(rf"{marker}\n(.*?)(?=\n\n)", re.DOTALL)
    if os.environ.get("MULTISITE_WRITE_DOCS"):
        file.write_text(whole.sub(lambda _: f"{marker}\n{wanted}", text))
        return
    found = whole.search(text)
    assert found is not None
    assert found.group(1) == wanted


def missing(text: str) -> list[str]:
    """Files named in backticks that are not there, below the root or below src/multisite."""
    named = re.findall(r"`([\w./-]+/[\w-]+\.(?:py|md|toml))\b", text)
    root = DOCS.parent
    return [
        name for name in named if not any((base / name).exists() for base in (root, root / "src/multisite"))
    ]


def test_the_policy_sample_has_every_route(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    generator.generate_sample(["--namespace", "multisite", "--output-file", str(file)], conf=cfg.ConfigOpts())
    sample = file.read_text()
    for route in ROUTES:
        if route.default != policy.PUBLIC:
            assert f'#"multisite:{route.rule}": "{route.default}"' in sample
            assert f"# {route.method}  {route.path}\n" in sample


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "README.md", "docs/architecture.md", "docs/cli.md"])
def test_files_named_are_there(name: str) -> None:
    assert missing((DOCS.parent / name).read_text()) == []


def test_a_file_that_is_gone_is_found() -> None:
    assert missing("see `clouds/call.py: call`, `tests/sim/README.md` and `jobs/gone.py`") == ["jobs/gone.py"]
