"""A target site in memory: Nova, Neutron and Cinder as far as recovering depends on how they behave."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import requests

from multisite.clouds.connect import CloudSite

Row = dict[str, Any]
EGRESS = [{"direction": "egress", "ethertype": "IPv4"}, {"direction": "egress", "ethertype": "IPv6"}]


class HttpError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def answer(method: str, url: str, status: int, body: Any) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = b"" if body is None else json.dumps(body).encode()
    response.headers["Content-Type"] = "application/json"
    response.request = requests.Request(method, f"http://target{url}").prepare()
    response.url = response.request.url or ""
    return response


@dataclass
class Service:
    """One API: routes are tried in order; a function gets the match, the body and the query."""

    target: FakeTarget
    name: str
    routes: list[tuple[str, str, Callable[..., Any]]] = field(default_factory=list)

    def get(self, path: str, params: Any = None, **_: Any) -> requests.Response:
        return self._call("GET", path, None, params or {})

    def post(self, path: str, json: Any = None, **_: Any) -> requests.Response:
        return self._call("POST", path, json, {})

    def put(self, path: str, json: Any = None, **_: Any) -> requests.Response:
        return self._call("PUT", path, json, {})

    def delete(self, path: str, **_: Any) -> requests.Response:
        return self._call("DELETE", path, None, {})

    def _call(self, method: str, path: str, body: Any, query: Any) -> requests.Response:
        with self.target.lock:
            self.target.calls.append((method, path))
            try:
                self.target.before(method, path)
            except HttpError as error:
                return answer(method, path, error.status, {"error": {"message": str(error)}})
            for wanted, pattern, act in self.routes:
                match = re.fullmatch(pattern, path)
                if wanted == method and match:
                    try:
                        found = act(*match.groups(), body=body, query=query)
                    except HttpError as error:
                        return answer(method, path, error.status, {"error": {"message": str(error)}})
                    self.target.after(method, path, body)
                    return answer(method, path, 200 if found is not None else 204, found)
        raise AssertionError(f"{self.name}: {method} {path} is not known to the fake")


def lost(method: str, path: str) -> requests.exceptions.ReadTimeout:
    """The answer of a request that took effect."""
    return requests.exceptions.ReadTimeout(request=requests.Request(method, f"http://target{path}").prepare())


class FakeTarget:
    """``before`` and ``after`` may raise: instead of an effect, or instead of its answer."""

    def __init__(self, name: str = "lyon") -> None:
        self.name, self.project_id, self.roles = name, "t-proj", frozenset({"admin"})
        self.login_refused = False
        self.lock = threading.RLock()
        self.calls: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] = lambda method, path: None
        self.after: Callable[[str, str, Any], None] = lambda method, path, body: None
        self.rows: dict[str, dict[str, Row]] = {
            kind: {}
            for kind in (
                "networks", "subnets", "ports", "security-groups", "flavors", "keypairs", "server_groups",
                "servers", "volumes", "backups",
            )
        }  # fmt: skip
        self.counter = 0
        self.boots: list[str] = []
        self.console = "booting\nGUEST-READY up=3\n"
        self.boot_status = "ACTIVE"
        self.restore_status = "available"
        self.source_metadata: Row = {}
        self.network = Service(self, "network", Neutron(self).routes())
        self.volume = Service(self, "volume", Cinder(self).routes())
        self.compute = Service(self, "compute", Nova(self).routes())

    def login(self) -> None:
        """Always."""

    def as_site(self) -> CloudSite:
        return cast("CloudSite", self)

    def new_id(self, kind: str) -> str:
        self.counter += 1
        return f"{kind}-{self.counter}"

    def left(self) -> dict[str, list[str]]:
        """What is there, but for backup records."""
        return {k: sorted(rows) for k, rows in self.rows.items() if rows and k != "backups"}

    def get(self, kind: str, id: str) -> Row:
        if id not in self.rows[kind]:
            raise HttpError(404, f"no {kind} {id}")
        return self.rows[kind][id]


NAMES = {"networks": "network", "subnets": "subnet", "ports": "port", "security-groups": "security_group"}
ONE, LISTED = (
    r"/(networks|subnets|ports|security-groups)/([^/]+)",
    r"/(networks|subnets|ports|security-groups)",
)


class Neutron:
    def __init__(self, fake: FakeTarget) -> None:
        self.fake = fake

    def index(self, kind: str, body: Any, query: Row) -> Row:
        def fits(row: Row) -> bool:
            return all(v in row["tags"] if k == "tags" else row.get(k) == v for k, v in query.items())

        return {kind.replace("-", "_"): [r for r in self.fake.rows[kind].values() if fits(r)]}

    def create(self, kind: str, body: Row, query: Row) -> Row:
        key = NAMES[kind]
        row = {"id": self.fake.new_id(key), "tags": [], "project_id": self.fake.project_id, **body[key]}
        if kind == "ports":
            _plug(self.fake, row)
        if kind == "security-groups":
            row["security_group_rules"] = [
                {"id": self.fake.new_id("rule"), **dict.fromkeys(_RULE), **rule} for rule in EGRESS
            ]
        self.fake.rows[kind][row["id"]] = row
        return {key: row}

    def delete(self, kind: str, id: str, body: Any, query: Row) -> None:
        self.fake.get(kind, id)
        children = [p["id"] for p in self.fake.rows["ports"].values() if p["network_id"] == id]
        if children:
            raise HttpError(409, f"network {id} is in use by ports {children}")
        if kind == "ports" and self.fake.rows["ports"][id].get("device_id"):
            raise HttpError(409, f"port {id} is in use")
        del self.fake.rows[kind][id]

    def update(self, kind: str, id: str, body: Row, query: Row) -> Row:
        row = self.fake.get(kind, id)
        row.update(body[NAMES[kind]])
        return {NAMES[kind]: row}

    def tags(self, kind: str, id: str, body: Row, query: Row) -> Row:
        self.fake.get(kind, id)["tags"] = body["tags"]
        return body

    def add_rule(self, body: Row, query: Row) -> Row:
        rule = body["security_group_rule"]
        group = self.fake.get("security-groups", rule["security_group_id"])
        if rule["remote_group_id"] is not None:
            self.fake.get("security-groups", rule["remote_group_id"])
        group["security_group_rules"].append({"id": self.fake.new_id("rule"), **rule})
        return body

    def drop_rule(self, id: str, body: Any, query: Row) -> None:
        for group in self.fake.rows["security-groups"].values():
            group["security_group_rules"] = [r for r in group["security_group_rules"] if r["id"] != id]

    def routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        return [
            ("GET", LISTED, self.index),
            ("POST", LISTED, self.create),
            ("GET", ONE, lambda kind, id, body, query: {NAMES[kind]: self.fake.get(kind, id)}),
            ("PUT", ONE, self.update),
            ("DELETE", ONE, self.delete),
            ("PUT", ONE + "/tags", self.tags),
            ("POST", "/security-group-rules", self.add_rule),
            ("DELETE", "/security-group-rules/([^/]+)", self.drop_rule),
        ]


_RULE = ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id")


def _plug(fake: FakeTarget, row: Row) -> None:
    """Addresses and MACs are unique in a network; a subnet with DHCP gives its first address to DHCP."""
    fake.get("networks", row["network_id"])
    mates = [p for p in fake.rows["ports"].values() if p["network_id"] == row["network_id"]]
    taken = {ip["ip_address"] for p in mates for ip in p["fixed_ips"]}
    subnets = [s for s in fake.rows["subnets"].values() if s["network_id"] == row["network_id"]]
    taken |= {s["cidr"].replace("0/24", "10") for s in subnets if s.get("enable_dhcp")}
    row.setdefault("mac_address", f"fa:16:3e:ff:ff:{fake.counter:02x}")
    row.setdefault("fixed_ips", [{"subnet_id": s["id"], "ip_address": "10.99.0.9"} for s in subnets[:1]])
    for ip in row["fixed_ips"]:
        fake.get("subnets", ip["subnet_id"])
        if ip["ip_address"] in taken:
            raise HttpError(409, f"IP address {ip['ip_address']} already allocated in subnet")
    if row["mac_address"] in {p["mac_address"] for p in mates}:
        raise HttpError(409, f"MAC address {row['mac_address']} is in use")
    row["status"] = "DOWN"


class Cinder:
    def __init__(self, fake: FakeTarget) -> None:
        self.fake = fake

    def create(self, body: Row, query: Row) -> Row:
        wanted = body["volume"]
        row = {
            "id": self.fake.new_id("volume"),
            "bootable": "false",
            "metadata": {},
            **wanted,
            "status": "available",
        }
        self.fake.rows["volumes"][row["id"]] = row
        return {"volume": row}

    def do_import(self, body: Row, query: Row) -> Row:
        _, _, id = body["backup-record"]["backup_url"].partition("url-")
        if f"b-{id}" in self.fake.rows["backups"]:
            raise HttpError(400, "Invalid backup: Backup already exists in database.")
        self.fake.rows["backups"][f"b-{id}"] = {"id": f"b-{id}", "status": "available"}
        return {"backup": {"id": f"b-{id}"}}

    def restore(self, id: str, body: Row, query: Row) -> Row:
        self.fake.get("backups", id)
        wanted = body["restore"]
        if "volume_id" in wanted:
            row = self.fake.get("volumes", wanted["volume_id"])
        else:
            row = self.create({"volume": {"name": wanted["name"], "size": 1, "metadata": {}}}, {})["volume"]
            row["made_by_restore"] = True
        if self.fake.source_metadata:
            row["metadata"] = dict(self.fake.source_metadata)
        row["status"] = self.fake.restore_status
        if self.fake.restore_status == "available":
            row["metadata"] = {**row["metadata"], "src_backup_id": id}
        return {"restore": {"backup_id": id, "volume_id": row["id"]}}

    def delete(self, id: str, body: Any, query: Row) -> None:
        if self.fake.get("volumes", id)["status"] == "in-use":
            raise HttpError(400, "volume is in use")
        del self.fake.rows["volumes"][id]

    def metadata(self, id: str, body: Row, query: Row) -> Row:
        self.fake.get("volumes", id)["metadata"] = body["metadata"]
        return body

    def action(self, id: str, body: Row, query: Row) -> None:
        row = self.fake.get("volumes", id)
        if "os-set_bootable" in body:
            row["bootable"] = str(body["os-set_bootable"]["bootable"]).lower()
        if "os-set_image_metadata" in body:
            row.setdefault("volume_image_metadata", {}).update(body["os-set_image_metadata"]["metadata"])

    def update(self, id: str, body: Row, query: Row) -> Row:
        self.fake.get("volumes", id).update(body["volume"])
        return {"volume": self.fake.get("volumes", id)}

    def routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        return [
            (
                "GET",
                "/volumes/detail",
                lambda body, query: {"volumes": list(self.fake.rows["volumes"].values())},
            ),
            ("GET", "/messages", lambda body, query: {"messages": []}),
            ("POST", "/volumes", self.create),
            ("GET", "/volumes/([^/]+)", lambda id, body, query: {"volume": self.fake.get("volumes", id)}),
            ("PUT", "/volumes/([^/]+)", self.update),
            ("DELETE", "/volumes/([^/]+)", self.delete),
            ("PUT", "/volumes/([^/]+)/metadata", self.metadata),
            ("POST", "/volumes/([^/]+)/action", self.action),
            ("POST", "/backups/import_record", self.do_import),
            ("GET", "/backups/([^/]+)", lambda id, body, query: {"backup": self.fake.get("backups", id)}),
            ("POST", "/backups/([^/]+)/restore", self.restore),
        ]


class Nova:
    def __init__(self, fake: FakeTarget) -> None:
        self.fake = fake

    def plain(self, kind: str, key: str) -> Callable[..., Row]:
        def create(body: Row, query: Row) -> Row:
            row = {"id": self.fake.new_id(key), **body[key]}
            self.fake.rows[kind][row["id"]] = row
            return {key: row}

        return create

    def keypair(self, body: Row, query: Row) -> Row:
        row = body["keypair"]
        if row["name"] in self.fake.rows["keypairs"]:
            raise HttpError(409, "key pair exists")
        self.fake.rows["keypairs"][row["name"]] = row
        return body

    def boot(self, body: Row, query: Row) -> Row:
        row = {"id": self.fake.new_id("server"), **body["server"], "status": self.fake.boot_status}
        row["os:scheduler_hints"] = body.get("os:scheduler_hints")
        row["flavor"] = {"id": row["flavorRef"]}
        disks = row["block_device_mapping_v2"]
        row["devices"] = {d["uuid"]: f"/dev/vd{chr(97 + i)}" for i, d in enumerate(disks)}
        for disk in disks:
            volume = self.fake.get("volumes", disk["uuid"])
            if volume["status"] != "available":
                raise HttpError(400, f"volume {volume['id']} is {volume['status']}")
            volume["status"] = "in-use"
        for port in row["networks"] if row["networks"] != "none" else ():
            self.fake.get("ports", port["port"]).update(device_id=row["id"], status="ACTIVE")
        self.fake.rows["servers"][row["id"]] = row
        self.fake.boots.append(row["name"])
        return {"server": {"id": row["id"]}}

    def delete(self, id: str, body: Any, query: Row) -> None:
        row = self.fake.get("servers", id)
        for disk in row["block_device_mapping_v2"]:
            self.fake.rows["volumes"][disk["uuid"]]["status"] = "available"
        for port in self.fake.rows["ports"].values():
            if port.get("device_id") == id:
                port.update(device_id="", status="DOWN")
        del self.fake.rows["servers"][id]

    def attachments(self, id: str, body: Any, query: Row) -> Row:
        devices = self.fake.get("servers", id)["devices"]
        return {"volumeAttachments": [{"volumeId": v, "device": d} for v, d in devices.items()]}

    def drop(self, kind: str) -> Callable[..., None]:
        def delete_one(id: str, body: Any, query: Row) -> None:
            self.fake.get(kind, id)
            del self.fake.rows[kind][id]

        return delete_one

    def listed(self, kind: str) -> Callable[..., Row]:
        return lambda body, query: {kind: list(self.fake.rows[kind].values())}

    def routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        return [
            ("GET", "/servers/detail", self.listed("servers")),
            ("POST", "/servers", self.boot),
            ("GET", "/servers/([^/]+)", lambda id, body, query: {"server": self.fake.get("servers", id)}),
            ("DELETE", "/servers/([^/]+)", self.delete),
            ("GET", "/servers/([^/]+)/os-volume_attachments", self.attachments),
            ("POST", "/servers/([^/]+)/action", lambda id, body, query: {"output": self.fake.console}),
            ("PUT", "/servers/([^/]+)/os-volume_attachments/([^/]+)", lambda *_, body, query: {}),
            ("GET", "/flavors/detail", self.listed("flavors")),
            ("POST", "/flavors", self.plain("flavors", "flavor")),
            ("POST", "/flavors/([^/]+)/os-extra_specs", lambda id, body, query: body),
            ("DELETE", "/flavors/([^/]+)", self.drop("flavors")),
            (
                "GET",
                "/os-keypairs/([^/]+)",
                lambda id, body, query: {"keypair": self.fake.get("keypairs", id)},
            ),
            ("POST", "/os-keypairs", self.keypair),
            ("DELETE", "/os-keypairs/([^/]+)", self.drop("keypairs")),
            ("GET", "/os-server-groups", self.listed("server_groups")),
            ("POST", "/os-server-groups", self.plain("server_groups", "server_group")),
            ("DELETE", "/os-server-groups/([^/]+)", self.drop("server_groups")),
        ]
