"""Opening sites: names, limits, threads, and a site that is not there."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite, Sites, open_site
from multisite.clouds.entries import entries
from multisite.clouds.errors import LoginRefused, Unreachable, Unsupported
from multisite.domain.errors import Invalid, NotFound

from .conftest import KEYSTONE, FakeCloud


def test_nothing_is_sent_before_use(fake: FakeCloud, site: CloudSite) -> None:
    assert site.region == "West"
    assert fake.mock.call_count == 0


def test_user_agent_and_limits(fake: FakeCloud, site: CloudSite) -> None:
    fake.json("GET", "compute", "/servers/s1", {"server": {"id": "s1", "name": "db"}})
    assert call(site, "read server", lambda: site.compute.get_server("s1")).name == "db"
    last = fake.sent("GET", "/servers/s1")[0]
    assert last.headers["User-Agent"].startswith("multisite/")
    assert last.timeout == (3.0, 60.0)
    assert site.project_id == "p1"


def test_os_variables_of_the_caller_do_not_count(clouds_yaml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_REGION_NAME", "Elsewhere")
    monkeypatch.setenv("OS_CLOUD", "broken")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", "/nonexistent")
    assert open_site("west", "west", clouds_yaml).region == "West"


def test_unknown_entry_names_the_field_and_the_known_ones(clouds_yaml: Path) -> None:
    with pytest.raises(Invalid, match=r"^cloud: 'north' is not an entry of .*; it has: broken, west"):
        open_site("north", "north", clouds_yaml)


def test_incomplete_entry(clouds_yaml: Path) -> None:
    with pytest.raises(Invalid, match="cloud: entry 'broken'"):
        open_site("x", "broken", clouds_yaml)


def test_missing_and_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="config_file: there is no"):
        open_site("x", "x", tmp_path / "none.yaml")
    damaged = tmp_path / "clouds.yaml"
    damaged.write_text("clouds: [")
    with pytest.raises(Invalid, match="not YAML"):
        open_site("x", "x", damaged)
    damaged.write_text("{}")
    with pytest.raises(Invalid, match="it has: none"):
        open_site("x", "x", damaged)


def test_entries_show_no_secret(clouds_yaml: Path) -> None:
    known = entries(clouds_yaml)
    assert known["west"].region == "West"
    assert known["west"].auth_url == KEYSTONE
    assert "secret-word" not in repr(known)


def rewritten(clouds_yaml: Path, old: str, new: str) -> Path:
    text = clouds_yaml.read_text()
    assert old in text
    clouds_yaml.write_text(text.replace(old, new))
    return clouds_yaml


SEVERAL = [
    "regions: [West, East]",
    "regions: [{name: West, values: {}}, East]",
    "region_name: 'West,East'",
    "region_name: [West, East]",
]


@pytest.mark.parametrize("several", SEVERAL)
def test_an_entry_with_several_regions_is_no_site(clouds_yaml: Path, several: str) -> None:
    rewritten(clouds_yaml, "region_name: West", several)
    words = r"^cloud: entry 'west' of clouds.yaml .* `region_name: West or region_name: East`"
    with pytest.raises(Invalid, match=words):
        open_site("west", "west", clouds_yaml)
    entry = entries(clouds_yaml)["west"]
    assert entry.region == ""
    assert "which of 2 regions" in entry.problem


def test_one_of_the_listed_regions_may_be_named(clouds_yaml: Path) -> None:
    rewritten(clouds_yaml, "region_name: West", "regions: [West, East]\n    region_name: East")
    assert open_site("east", "west", clouds_yaml).region == "East"
    assert entries(clouds_yaml)["west"].region == "East"
    rewritten(clouds_yaml, "region_name: East", "region_name: North")
    with pytest.raises(Invalid, match=r"cloud: entry 'west' .*North"):
        open_site("east", "west", clouds_yaml)
    rewritten(clouds_yaml, "regions: [West, East]\n    region_name: North", "regions: [East]")
    assert open_site("east", "west", clouds_yaml).region == "East"


def test_missing_service_is_unsupported(fake: FakeCloud, site: CloudSite) -> None:
    fake.missing.add("image")
    with pytest.raises(Unsupported, match="not in the catalog of region 'West'"):
        _ = site.image


def test_one_login_for_many_threads(fake: FakeCloud, site: CloudSite) -> None:
    fake.json("GET", "compute", "/servers/s1", {"server": {"id": "s1", "name": "db"}})
    with ThreadPoolExecutor(16) as pool:
        names = list(
            pool.map(lambda _: call(site, "read", lambda: site.compute.get_server("s1")).name, range(64))
        )
    assert names == ["db"] * 64
    assert len(fake.sent("POST", "/auth/tokens")) == 1


def test_threads_refused_together_log_in_once_and_go_on(fake: FakeCloud, site: CloudSite) -> None:
    """What keystoneauth does in each thread after a 401: it forgets the token, and asks for another."""
    threads, session = 4, site.conn.session
    together, granted = threading.Barrier(threads, timeout=10), list[str]()

    def grant(_request: Any, context: Any) -> dict[str, Any]:
        granted.append(f"token-{len(granted) + 1}")
        context.headers["X-Subject-Token"] = granted[-1]
        return fake._token()

    def refused(_: int) -> tuple[str, bool, str]:
        used = session.get_auth_headers()["X-Auth-Token"]
        together.wait()
        again = session.invalidate()
        return used, again, session.get_auth_headers()["X-Auth-Token"]

    fake.mock.post(f"{KEYSTONE}/v3/auth/tokens", json=grant, status_code=201)
    site.login()
    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(refused, range(threads))) == [("token-1", True, "token-2")] * threads
    assert granted == ["token-1", "token-2"]


def test_sites_cache_and_reopen_after_refused_login(fake: FakeCloud, clouds_yaml: Path) -> None:
    sites = Sites({"paris": "west"}.__getitem__, config_file=clouds_yaml)
    first = sites.open_for_service("paris")
    assert sites.open_for_service("paris") is first
    fake.mock.post(
        f"{KEYSTONE}/v3/auth/tokens",
        status_code=401,
        json={"error": {"message": "The request you have made requires authentication.", "code": 401}},
    )
    with pytest.raises(LoginRefused, match="requires authentication"):
        first.login()
    second = sites.open_for_service("paris")
    assert second is not first
    sites.drop("paris")
    assert sites.open_for_service("paris") is not second


def test_a_site_is_opened_for_a_project_or_for_the_service(clouds_yaml: Path) -> None:
    sites = Sites({"paris": "west"}.__getitem__, config_file=clouds_yaml)
    assert sites.open("paris", for_project="p1") is sites.open_for_service("paris"), "one account, today"
    with pytest.raises(Invalid, match="is scoped to one"):
        sites.open("paris", for_project="")
    with pytest.raises(TypeError, match="for_project"):
        sites.open("paris")  # type: ignore[call-arg]  # mypy refuses it, too


def test_sites_asks_who_is_registered(clouds_yaml: Path) -> None:
    def cloud_of(name: str) -> str:
        raise NotFound(f"site {name} is not registered")

    with pytest.raises(NotFound):
        Sites(cloud_of, config_file=clouds_yaml).open_for_service("x")


@contextmanager
def black_hole() -> Iterator[str]:
    """An address that answers nothing at all: a listening socket whose queue is full drops what comes."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        host, port = server.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((host, port))
            fillers.append(filler)
        time.sleep(0.1)
        try:
            yield f"http://{host}:{port}/v3"
        finally:
            for filler in fillers:
                filler.close()


def write_entry(path: Path, auth_url: str) -> Path:
    file = path / "clouds.yaml"
    file.write_text(
        "clouds: {dead: {region_name: R, auth: {"
        f"auth_url: '{auth_url}', username: u, password: p, project_name: p,"
        " user_domain_name: Default, project_domain_name: Default}}}"
    )
    return file


def test_black_hole_is_unreachable_in_seconds_for_every_thread(tmp_path: Path) -> None:
    with black_hole() as url:
        site = open_site("dead", "dead", write_entry(tmp_path, url))
        begun = time.monotonic()
        errors: list[Exception] = []

        def use() -> None:
            try:
                call(site, "list servers", lambda: site.compute.servers())
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=use) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - begun
    assert len(errors) == 16
    assert all(isinstance(e, Unreachable) for e in errors)
    assert "no connection in time" in str(errors[0])
    assert took < 5


def test_refused_connection_is_unreachable(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    site = open_site("dead", "dead", write_entry(tmp_path, f"http://127.0.0.1:{port}/v3"))
    with pytest.raises(Unreachable, match=r"site dead: log in: .*connection refused"):
        site.login()


def test_dead_service_behind_a_living_keystone(fake: FakeCloud, site: CloudSite) -> None:
    site.login()
    with black_hole() as url:
        address = url.removesuffix("/v3")
        fake.mock.get("http://west.example/compute/v2.1", real_http=True)
        site.conn.config.config["compute_endpoint_override"] = f"{address}/v2.1"
        fake.mock.get(f"{address}/v2.1", real_http=True)
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="reach the compute service"):
            _ = site.compute
        assert time.monotonic() - begun < 5
