"""The proxy as HTTP: links, large and chunked bodies, connections that stay open, rules, the log, the program."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from lab_faults.little_cloud import BIG, LittleCloud
from multisite.clouds.connect import CloudSite
from multisite_lab.faults.journal import distinct, read, template
from multisite_lab.faults.program import through
from multisite_lab.faults.routes import Routes, Upstream
from multisite_lab.faults.rules import BadRule, Orders, Rule, Rulebook, parse
from multisite_lab.faults.thread import FaultProxy

ID = "6f70656e-7374-4ac6-8b21-000000000001"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/v2.1/servers/{ID}/action", "/v2.1/servers/{id}/action"),
        (f"/v3/{ID.replace('-', '')}/backups/{ID}/export_record", "/v3/{id}/backups/{id}/export_record"),
        ("/v2.1/os-keypairs/olga", "/v2.1/os-keypairs/{id}"),
        ("/v2.1/flavors/detail?is_public=None", "/v2.1/flavors/detail"),
        ("/v2.1/flavors/m1.tiny/os-extra_specs", "/v2.1/flavors/{id}/os-extra_specs"),
        (f"/v2.0/networks/{ID}/tags/multisite:j:s", "/v2.0/networks/{id}/tags/{id}"),
        ("/v2.1/servers/7", "/v2.1/servers/{id}"),
        ("/", "/"),
    ],
)
def test_templates(path: str, shown: str) -> None:
    assert template(path) == shown


def test_links_lead_through_the_proxy_and_data_stays_as_it_is() -> None:
    routes = Routes([Upstream("nova", "http://a:8774"), Upstream("big", "http://a/x")], "http://p:1")
    assert routes.outward("http://a:8774/v2.1") == "http://p:1/nova/v2.1"
    assert routes.outward("http://a:87745/v2.1") == "http://a:87745/v2.1"
    assert routes.inward("/big/v2?a=b") == (Upstream("big", "http://a/x"), "/x/v2?a=b")
    assert routes.inward("/nova") == (Upstream("nova", "http://a:8774"), "/")
    assert routes.inward("/other/v2") is None
    link = {"rel": "self", "href": "http://a:8774/v2.1/"}
    body = json.dumps({"links": [link], "metadata": {"url": "http://a:8774/mine"}}).encode()
    assert json.loads(routes.rewritten(body)) == {
        "links": [{"rel": "self", "href": "http://p:1/nova/v2.1/"}],
        "metadata": {"url": "http://a:8774/mine"},
    }
    assert routes.rewritten(b"http://a:8774 is no JSON") == b"http://a:8774 is no JSON"


def test_version_documents_and_catalog_name_the_proxy(cloud: LittleCloud, proxy: FaultProxy) -> None:
    versions = requests.get(proxy.url("nova"), timeout=5)
    assert versions.status_code == 300
    assert versions.json()["versions"][0]["links"][0]["href"] == f"{proxy.url('nova')}/v2.1/"
    token = requests.post(f"{proxy.url('keystone')}/v3/auth/tokens", json={}, timeout=5).json()
    assert cloud.url not in json.dumps(token)


def test_large_bodies_pass_both_ways_in_pieces(
    cloud: LittleCloud, proxy: FaultProxy, site: CloudSite
) -> None:
    def pieces() -> Iterator[bytes]:  # sent chunked: its length is not known
        for at in range(0, len(BIG), 50_000):
            yield BIG[at : at + 50_000]

    url = f"{proxy.url('glance')}/v2/images/i/file"
    answer = requests.put(url, data=pieces(), timeout=10)
    assert (answer.content, cloud.uploaded) == (BIG, BIG)
    cloud.uploaded = b""
    assert requests.put(url, data=BIG, timeout=10).content == BIG  # with a length
    assert cloud.uploaded == BIG
    assert [e["path"] for e in proxy.requests[-2:]] == ["/v2/images/i/file"] * 2


def test_a_large_answer_begins_before_it_is_complete(cloud: LittleCloud, proxy: FaultProxy) -> None:
    with requests.get(f"{proxy.url('glance')}/v2/images/i/file", stream=True, timeout=10) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert sum(len(part) for part in answer.iter_content(65536)) == len(BIG)


def test_a_connection_is_used_again_also_after_errors(proxy: FaultProxy) -> None:
    proxy.rules(Rule("error", path="/servers$", nth=(2,)))
    host, port = proxy.url("nova").removeprefix("http://").split("/")[0].split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    seen = []
    for method in ("GET", "GET", "HEAD", "GET"):
        connection.request(method, "/nova/v2.1/servers")
        answer = connection.getresponse()
        answer.read()
        seen.append((answer.status, connection.sock.getsockname()[1]))
    statuses, ports = zip(*seen, strict=True)
    assert statuses == (200, 503, 501, 200)  # the little cloud knows no HEAD
    assert len(set(ports)) == 1


def test_the_log_enumerates_the_calls(proxy: FaultProxy, site: CloudSite, tmp_path: Path) -> None:
    for _ in range(2):
        site.compute.get("/servers/7")
    lines = read(tmp_path / "requests.jsonl")
    assert lines == proxy.requests
    assert [e["number"] for e in lines] == list(range(1, len(lines) + 1))
    assert distinct(lines)["nova", "GET", "/v2.1/servers/{id}"] == 2
    assert [e["call"] for e in lines[-2:]] == [1, 2]
    assert "secret-word" not in (tmp_path / "requests.jsonl").read_text()
    assert "token-1" not in (tmp_path / "requests.jsonl").read_text()


def test_rules_count_what_they_fit_and_can_be_changed_while_running() -> None:
    book, second, every = Rulebook(), Rule("drop", path="/a$", nth=(2,)), Rule("delay", method="POST")
    book.replace([second, every])
    chosen = [book.choose(n, "nova", m, "/a") for n, m in enumerate(("GET", "POST", "POST"), 1)]
    assert chosen == [None, second, every]
    assert (book.met(second), book.met(every)) == (3, 2)
    book.replace([second], keep=True)
    assert book.met(second) == 3
    book.replace([second])
    assert book.met(second) == 0
    book.replace([Rule("hang", number=(5,))])
    assert [book.choose(n, "x", "GET", "/") is not None for n in (4, 5, 6)] == [False, True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"site1": {"rules": [{"fault": "explode"}]}}', "explode"),
        ('{"site1": {"rules": [{"fault": "drop", "servce": "nova"}]}}', "servce"),
        ('{"site1": {"rules": [{"fault": "drop", "path": "("}]}}', "regular expression"),
        ('{"site1": {"rules": [{"fault": "error", "status": 200}]}}', "no error"),
        ('{"site1": {"rules": [{"fault": "late-success", "answer": "x"}]}}', "answer"),
        ('{"site1": {"cut": "hard"}}', "hard"),
        ('{"site1": {"role": []}}', "rules and cut"),
        ("[]", "member per site"),
        ("{", "not JSON"),
    ],
)
def test_orders_that_mean_nothing_say_why(text: str, words: str) -> None:
    with pytest.raises(BadRule, match=words):
        parse(text)


def test_orders() -> None:
    said = {"site1": {"cut": "hang", "rules": [{"fault": "drop", "nth": 2}]}, "site2": {}}
    assert parse(json.dumps(said)) == {"site1": Orders((Rule("drop", nth=(2,)),), "hang"), "site2": Orders()}
    assert parse("") == {}


def test_the_program_obeys_its_file_and_ends_clean(tmp_path: Path) -> None:
    """No site is there: what a proxy of a dead one answers is enough to see the orders work."""
    clouds = tmp_path / "lab.yaml"
    clouds.write_text("clouds: {site1: {auth: {auth_url: 'http://192.168.251.11:5000/v3', password: x}}}")
    folder = tmp_path / "faults"
    argv = [sys.executable, "-m", "multisite_lab.faults", "--folder", str(folder), "--clouds", str(clouds)]
    process = subprocess.Popen([*argv, "site1"])
    try:
        _until((folder / "ready.json").exists)
        base = json.loads((folder / "ready.json").read_text())["site1"]
        assert f"{base}/keystone/v3" in (folder / "clouds.yaml").read_text()
        assert (folder / "clouds.yaml").stat().st_mode & 0o077 == 0
        _order(folder, {"site1": {"rules": [{"fault": "error", "status": 500}]}})
        _until(lambda: requests.get(f"{base}/nova/v2.1", timeout=20).status_code == 500)
        _order(folder, {"site1": {"cut": "refuse"}})
        _until(lambda: _refused(base))
        _order(folder, {"site9": {}})
        _until(lambda: "site9" in (folder / "obeyed.json").read_text())
        assert _refused(base)  # orders nobody understands change nothing
    finally:
        process.terminate()
        assert process.wait(10) == 0
    done = subprocess.run([*argv, "--calls"], capture_output=True, text=True, check=True)
    assert "nova       GET     /v2.1" in done.stdout


def test_entries_of_other_sites_stay_as_they_are() -> None:
    text = "clouds: {a: {auth: {auth_url: 'http://elsewhere:5000/v3'}}, b: {region_name: x}}"
    assert "elsewhere:5000/v3" in through(text, {})


def _order(folder: Path, said: dict[str, object]) -> None:
    (folder / "draft").write_text(json.dumps(said))
    (folder / "draft").replace(folder / "faults.json")


def _refused(base: str) -> bool:
    try:
        requests.get(f"{base}/nova/v2.1", timeout=20)
    except requests.ConnectionError:
        return True
    return False


def _until(holds: object) -> None:
    deadline = time.monotonic() + 15
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)
