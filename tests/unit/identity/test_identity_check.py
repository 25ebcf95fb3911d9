"""Facts in, findings out: what is as rendered gives no finding, each difference gives one with its consequence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from multisite.domain.findings import Finding, Severity, in_sync
from multisite.identity import secrets
from multisite.identity.check import run
from multisite.identity.check.collect import config as collect_config
from multisite.identity.check.compare import catalog as compare_catalog
from multisite.identity.check.compare import database as compare_database
from multisite.identity.check.facts import Catalog, DatabaseFacts, Refusal, Unknown
from multisite.identity.render import everything, names, services
from multisite.identity.render.names import Store
from multisite.identity.render.services import Endpoint
from multisite.identity.secrets import Secrets
from multisite.identity.topology import file as topology_file

EXAMPLES = Path(__file__).parents[3] / "docs/examples/identity"
STAR = topology_file.read(EXAMPLES / "star.yaml")
OSLO, PARIS = STAR.site("oslo"), STAR.site("paris")
REPLICA, MASTER = names.stores(STAR, OSLO)[0], names.stores(STAR, PARIS)[0]
PASSWORDS = Secrets(*(SecretStr(f"hidden-{name}") for name in secrets.NAMES))


def as_rendered(store: Store) -> DatabaseFacts:
    """What a server that runs with its rendered file says of itself."""
    files = [f for f in everything.files(STAR) if f.site == store.site.name and f.node == store.node]
    options = collect_config.parsed(next(f.text for f in files if f.path.endswith(".cnf")))
    variables = {option: value.strip('"') for (_, option), value in options.items()} | {"log_bin": "ON"}
    if store.source is None:
        status = {
            "wsrep_cluster_status": "Primary", "wsrep_ready": "ON", "wsrep_cluster_size": "3",
            "wsrep_local_state_comment": "Synced",
        }  # fmt: skip
        return DatabaseFacts(variables | {"read_only": "OFF"}, status, None, frozenset({"USAGE"}))
    row = {
        "Master_Host": store.source.address, "Master_Port": "3306",
        "Slave_IO_Running": "Yes", "Slave_SQL_Running": "Yes",
        "Using_Gtid": "Slave_Pos", "Replicate_Wild_Do_Table": "keystone.%", "Seconds_Behind_Master": "0",
    }  # fmt: skip
    return DatabaseFacts(variables, {}, row, frozenset({"USAGE"}), caught_up=True)


def changed(facts: DatabaseFacts, part: str, name: str, value: str) -> DatabaseFacts:
    return replace(facts, **{part: {**getattr(facts, part), name: value}})


def only(found: list[Finding]) -> Finding:
    (finding,) = found
    return finding


@pytest.mark.parametrize("store", [MASTER, REPLICA], ids=["master", "replica"])
def test_a_database_as_rendered_is_in_step(store: Store) -> None:
    assert compare_database.findings(STAR, store, as_rendered(store)) == []


@pytest.mark.parametrize(
    ("store", "part", "name", "value", "consequence"),
    [
        (REPLICA, "variables", "read_only", "0", "Keystone of oslo can write into this copy"),
        (REPLICA, "variables", "server_id", "1", "two servers with one id"),
        (REPLICA, "replica", "Slave_IO_Running", "Connecting", "this copy gets older"),
        (REPLICA, "replica", "Slave_SQL_Running", "No", "this copy gets older"),
        (REPLICA, "replica", "Master_Host", "198.51.100.11", "when rome is lost this copy stops too"),
        (REPLICA, "replica", "Master_Host", "192.0.2.200", "when 192.0.2.200:3306 is lost this copy stops too"),
        (REPLICA, "replica", "Using_Gtid", "No", "it cannot go over to the other master"),
        (REPLICA, "replica", "Replicate_Wild_Do_Table", "", "more, or less, than Keystone's database"),
        (MASTER, "status", "wsrep_cluster_status", "non-Primary", "Keystone of paris answers 500 to everything"),
        (MASTER, "status", "wsrep_cluster_size", "2", "of 3 votes (masters and arbitrator) some are missing"),
        (MASTER, "variables", "wsrep_gtid_mode", "OFF", "no replica can go over from one to the other"),
        (MASTER, "variables", "server_id", "2", "no replica can go over from one to the other"),
        (MASTER, "variables", "read_only", "ON", "answers 500 to every change"),
        (MASTER, "variables", "wsrep_provider_options", "gmcast.segment = 0; x = y", "exchange more between sites"),
    ],
)  # fmt: skip
def test_a_difference_of_a_database(store: Store, part: str, name: str, value: str, consequence: str) -> None:
    found = only(compare_database.findings(STAR, store, changed(as_rendered(store), part, name, value)))
    assert consequence in found.consequence
    assert found.site == store.site.name


@pytest.mark.parametrize("privilege", compare_database.WRITES_ANYWAY)
def test_an_account_that_writes_in_spite_of_read_only(privilege: str) -> None:
    facts = replace(as_rendered(REPLICA), privileges=frozenset({"USAGE", privilege}))
    found = only(compare_database.findings(STAR, REPLICA, facts))
    assert found.severity == Severity.DIFFERS
    assert f"it is {privilege}, not none on *.*" in found.what
    facts = replace(as_rendered(MASTER), privileges=frozenset({privilege}))
    assert only(compare_database.findings(STAR, MASTER, facts)).severity == Severity.DEGRADED


def test_what_was_not_seen_of_a_database_is_unknown() -> None:
    dark = Unknown("no answer")
    base = as_rendered(REPLICA)
    for facts in (
        dark,
        replace(base, replica=dark),
        replace(base, privileges=dark),
        replace(base, caught_up=dark),
    ):
        found = compare_database.findings(STAR, REPLICA, facts)
        assert in_sync(found) is None
    missing = replace(base, variables={})
    assert in_sync(compare_database.findings(STAR, REPLICA, missing)) is False


def test_a_replica_that_follows_nobody_or_is_behind() -> None:
    found = only(compare_database.findings(STAR, REPLICA, replace(as_rendered(REPLICA), replica=None)))
    assert "it is following nobody, not following" in found.what
    found = only(compare_database.findings(STAR, REPLICA, replace(as_rendered(REPLICA), caught_up=False)))
    assert "still taken at oslo" in found.consequence


# --- files


def scope(tree: Path) -> run.Scope:
    areas = frozenset({run.Area.KEYSTONE, run.Area.SERVICES})
    return run.Scope(frozenset({"oslo"}), areas, configs=tree)


def written(folder: Path) -> Path:
    from multisite.identity.render import tree

    tree.write(folder, everything.files(STAR, PASSWORDS))
    return folder


def after(folder: Path, name: str, old: str, new: str) -> list[Finding]:
    path = written(folder) / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return run.findings(STAR, scope(folder))


CONF = "oslo/keystone/etc/keystone/keystone.conf"
DATABASE = "oslo/keystone/etc/keystone/keystone.conf.d/database.conf"
SERVICE = "oslo/services/keystone_authtoken.conf"
LOGIN = (
    "auth_type",
    "auth_url",
    "username",
    "password",
    "project_name",
    "user_domain_name",
    "project_domain_name",
)


def test_files_as_rendered_are_in_step(tmp_path: Path) -> None:
    assert run.findings(STAR, scope(written(tmp_path))) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "consequence"),
    [
        (CONF, "[role]\ncache_time = 2", "[role]\ncache_time = 60", "a role taken away at another site"
            " is still taken at oslo for up to 62 s"),
        (CONF, "[identity]\ncache_time = 2", "[identity]", "a user disabled at another site is still"
            " taken at oslo for up to 602 s"),
        (CONF, "[revoke]\ncache_time = 2", "[revoke]\ncache_time = 1", "asks its database more often"),
        (CONF, "provider = fernet", "provider = jws", "tokens of other sites are not understood at oslo"),
        (CONF, "fernet-keys\nmax_active_keys = 5", "fernet-keys\nmax_active_keys = 3", "throws keys"
            " away while tokens made with them live"),
        (CONF, "/etc/keystone/fernet-keys", "/srv/other", "Keystone of oslo reads other keys"),
        (CONF, "enabled = true", "enabled = false", "half a second each"),
        (DATABASE, "127.0.0.1:13306", "192.0.2.11:3306", "does not work on its own site's database"),
        (SERVICE, "region_name = Oslo\n", "", "at the Keystone of any region"),
        (SERVICE, "region_name = Oslo", "region_name = Rome", "at the Keystone of that region"),
        (SERVICE, "interface = internal", "interface = public", "validates tokens at the entry"),
        (SERVICE, "203.0.113.10:5000", "192.0.2.5:5000", "own login needs the masters once per token's life"),
        (SERVICE, "203.0.113.10:5000", "192.0.2.10:5000", "logs in at another site"),
        (SERVICE, "token_cache_time = 2", "", "for up to 302 s (auth_token's own 300 s), not 4 s"),
        (SERVICE, "token_cache_time = 2", "token_cache_time = -1", "for ever"),
        (SERVICE, "memcached_servers", "#", "each process of the service caches alone"),
        (SERVICE, "[keystone_authtoken]", "[other]", "cannot validate any token"),
    ],
)  # fmt: skip
def test_a_difference_of_a_file(tmp_path: Path, file: str, old: str, new: str, consequence: str) -> None:
    found = only(after(tmp_path, file, old, new))
    assert consequence in found.consequence
    where = found.what.partition(": it is ")[0]
    assert str(tmp_path / file).startswith(where) or "keystone.conf" in where
    assert found.remedy


def moved(folder: Path, section: str, url: str = "http://203.0.113.10:5000") -> list[Finding]:
    """The findings when the login is in a section of its own."""
    path = written(folder) / SERVICE
    lines = path.read_text().splitlines()
    login = [line for line in lines if line.split(" =")[0] in LOGIN]
    assert len(login) == len(LOGIN)
    rest = [line for line in lines if line not in login]
    text = "\n".join([*rest, "auth_section = service_user", f"[{section}]", *login, ""])
    path.write_text(
        text.replace("http://203.0.113.10:5000", url).replace("memcached_servers", "memcache_servers")
    )
    return run.findings(STAR, scope(folder))


def test_a_login_in_a_section_of_its_own(tmp_path: Path) -> None:
    """As keystonemiddleware reads it, and the name memcached_servers had."""
    assert moved(tmp_path, "service_user") == []
    found = only(moved(tmp_path / "2", "service_user", "http://192.0.2.10:5000"))
    assert "logs in at another site" in found.consequence
    assert found.kind == "[service_user] auth_url"
    found = only(moved(tmp_path / "3", "elsewhere"))
    assert (found.severity, found.kind) == (Severity.UNKNOWN, "[service_user]")


def test_no_password_is_shown(tmp_path: Path) -> None:
    found = after(tmp_path, DATABASE, "127.0.0.1:13306", "192.0.2.11:3306")
    assert "hidden" not in repr(found)
    found = after(tmp_path / "2", DATABASE, "connection =", "a line with hidden-database\nconnection")
    assert in_sync(found) is None
    assert "hidden" not in repr(found)


def test_files_that_are_not_there_are_unknown(tmp_path: Path) -> None:
    assert [f.severity for f in run.findings(STAR, scope(tmp_path))] == [Severity.UNKNOWN, Severity.UNKNOWN]
    every = run.Scope(frozenset(site.name for site in STAR.sites))
    found = run.findings(STAR, every)
    assert in_sync(found) is None
    assert {f.site for f in found} == {"paris", "rome", "oslo"}


# --- the catalog


def seen(*endpoints: Endpoint) -> dict[str, compare_catalog.Answer]:
    return {site.name: Catalog(endpoints) for site in STAR.sites}


def test_the_catalog_as_rendered_is_in_step() -> None:
    assert compare_catalog.findings(STAR, seen(*services.endpoints(STAR))) == []


def test_an_internal_endpoint_that_is_missing_is_one_finding_for_all_sites() -> None:
    wanted = services.endpoints(STAR)
    gone = next(e for e in wanted if (e.region, e.interface) == ("Rome", "internal"))
    found = only(compare_catalog.findings(STAR, seen(*(e for e in wanted if e != gone))))
    assert found.what == f"catalog at paris, rome, oslo: it is missing, not {gone.url}"
    assert "services of Rome (region_name = Rome) find no Keystone" in found.consequence


def test_endpoints_that_are_wrong_double_or_foreign() -> None:
    wanted = services.endpoints(STAR)
    first, *others = wanted
    wrong = replace(first, url="http://192.0.2.77:5000/v3")
    assert (
        "validate tokens elsewhere" in only(compare_catalog.findings(STAR, seen(wrong, *others))).consequence
    )
    assert "matter of luck" in only(compare_catalog.findings(STAR, seen(*wanted, wrong))).consequence
    foreign = only(compare_catalog.findings(STAR, seen(*wanted, replace(first, region="Lima"))))
    assert (foreign.kind, foreign.severity) == ("region Lima", Severity.DEGRADED)


def test_a_site_that_refuses_the_token_or_does_not_answer() -> None:
    good = Catalog(services.endpoints(STAR))
    found = compare_catalog.findings(STAR, {"paris": good, "rome": Refusal(401), "oslo": Refusal(500)})
    assert ["its keys or its copy" in f.consequence or "answers 500" in f.consequence for f in found] == [
        True,
        True,
    ]
    assert in_sync(compare_catalog.findings(STAR, {"paris": good, "rome": Unknown("silence")})) is None
