"""Configuration files of a site, from one small template each."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from multisite_lab import core_store, form, lean, paths, plugins
from multisite_lab.model import CORE_MANAGEMENT, PORTS, UNDERLAY_NETWORK, Host, Machine, Site
from multisite_lab.passwords import Passwords, write_private
from multisite_lab.program import environment_line, lab_environment
from multisite_lab.services import services
from multisite_lab.star import config as star
from multisite_lab.star import keys as star_keys
from multisite_lab.star import layout
from multisite_lab.templates import template_text

FILES = {
    "keystone/keystone.conf": "keystone.conf",
    "placement/placement.conf": "placement.conf",
    "glance/glance-api.conf": "glance-api.conf",
    "glance/glance-image-import.conf": "glance-image-import.conf",
    "cinder/cinder.conf": "cinder.conf",
    "nova/nova.conf": "nova.conf",
    "nova/nova-compute.conf": "nova-compute.conf",
    "neutron/neutron.conf": "neutron.conf",
    "neutron/agent.conf": "neutron-agent.conf",
    "neutron/dnsmasq.conf": "dnsmasq.conf",
    "ceph/ceph.conf": "ceph.conf",
    "rabbitmq/rabbitmq.conf": "rabbitmq.conf",
    "rabbitmq/definitions.json": "rabbitmq-definitions.json",
    "rabbitmq/advanced.config": "rabbitmq-empty.config",
    "rabbitmq/enabled_plugins": "rabbitmq-empty.config",
    "libvirt/qemu.conf": "qemu.conf",
    "libvirt/libvirtd.conf": "libvirtd.conf",
    "hosts": "hosts",
    "bin/sudo": "sudo",
    "supervisord.conf": "supervisord.conf",
}
"""File below a site's etc -> its template."""

_EVERYWHERE = ("hosts", "supervisord.conf")
"""What a site has that is only a part of the one identity."""

_SHARED_STORAGE = {"bin/ssh": "ssh"}
"""What the hosts of a site have that share a folder of guests."""

_HOST_FILES = (
    "nova/nova-compute.conf",
    "neutron/agent.conf",
    "neutron/dnsmasq.conf",
    "ceph/ceph.conf",
    "libvirt/qemu.conf",
    "libvirt/libvirtd.conf",
    "hosts",
    "bin/sudo",
    "supervisord.conf",
)
"""What a further compute host has."""

_HOST_FOLDERS = (
    "var/nova/lock",
    "var/neutron/lock",
    "var/libvirt",
    "var/libvirt-cache",
    "var/ovs",
    "log/ovs",
    "run",
)

FOLDERS = (
    "var/glance/store",
    "var/glance/staging",
    "var/glance/tasks",
    "var/glance/lock",
    "var/cinder/conversion",
    "var/cinder/lock",
    "var/nova/instances",
    "var/nova/lock",
    "var/neutron/lock",
    "var/libvirt",
    "var/libvirt-cache",
    "var/ovs",
    "var/rabbitmq",
    "var/ceph/mon",
    "var/ceph/mgr",
    "var/ceph/osd",
    "log/ovs",
    "log/rabbitmq",
    "run",
)

ACCOUNTS = (
    ("", "operator", "vnf"),
    ("-admin", "admin", "admin"),
    ("-member", "member", "vnf"),
    ("-other", "other", "other"),
    ("-multisite", "multisite", "service"),
)
"""Entries of clouds.yaml for each site: suffix of the name, user, project."""


def render_site(site: Site, passwords: Passwords, identity: str) -> bool:
    """Write every file and folder of a site; say whether any file changed."""
    site.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    shared, whole = form.shared(), form.whole(site)
    _make_folders(site, (*(FOLDERS if form.own_database(site) else ()), *(star.FOLDERS if shared else ())))
    context = _context(site, passwords, identity)
    texts = {file: template_text(template, context) for file, template in _files(site).items()}
    if whole:
        texts["nova/api-paste.ini"] = _paste(plugins.filter_available())
    if shared:
        texts |= star.files(site, passwords)
        star_keys.ensure(site)
    else:
        _keys(site.var / "keystone/fernet")
        _keys(site.var / "keystone/credential")
    return _write(site, texts)


def render_host(host: Host, passwords: Passwords, identity: str) -> bool:
    """Write every file and folder of a further compute host; say whether any file changed."""
    _make_folders(host, _HOST_FOLDERS)
    context = _context(host, passwords, identity)
    wanted = {file: FILES[file] for file in _HOST_FILES} | _SHARED_STORAGE
    return _write(host, {file: template_text(template, context) for file, template in wanted.items()})


def _files(site: Site) -> dict[str, str]:
    if form.lean(site):
        return {file: template for file, template in FILES.items() if file.startswith(lean.FILES)}
    if not form.whole(site):
        return {file: FILES[file] for file in _EVERYWHERE}
    return FILES | (_SHARED_STORAGE if form.hosts(site) else {})


def _make_folders(machine: Machine, folders: tuple[str, ...]) -> None:
    for folder in folders:
        (machine.root / folder).mkdir(parents=True, exist_ok=True)


def _write(machine: Machine, texts: dict[str, str]) -> bool:
    changed = False
    for file, text in texts.items():
        changed |= write_private(machine.etc / file, text, 0o700 if file.startswith("bin/") else 0o600)
    return changed


def render_clouds(members: dict[Site, Passwords]) -> None:
    """Write clouds.yaml: every account at every site."""
    rows = [(site, vars(passwords), auth_url(site)) for site, passwords in members.items()]
    text = template_text("clouds.yaml", {"members": rows, "accounts": ACCOUNTS})
    write_private(paths.state() / "clouds.yaml", text)


def auth_url(site: Site) -> str:
    """Where users and services of a site log in: its own Keystone, or the one entry of all sites."""
    return layout.ENTRY_URL if form.shared() else site.url("keystone")


def _context(site: Machine, passwords: Passwords, identity: str) -> dict[str, Any]:
    sites = list(form.sites().values())
    return {
        "site": site,
        "main": site.site,
        "sites": sites,
        "machines": [machine for other in sites for machine in form.machines(other)],
        "form": form.current(),
        "lean": form.lean(site.site),
        "queue": form.queue_address(site.site),
        "moves": bool(form.hosts(site.site)),
        "remote_port": form.current().networks and plugins.driver_available(),
        "underlay": UNDERLAY_NETWORK,
        "host_uuid": uuid.uuid5(uuid.NAMESPACE_DNS, f"{site.name}.{identity}"),
        "auth_url": auth_url(site.site),
        "token_cache_time": layout.TOKEN_CACHE_TIME if form.shared() else None,
        "passwords": passwords,
        "identity": identity,
        "ports": PORTS,
        "core": CORE_MANAGEMENT,
        "venv": paths.openstack_venv(),
        "backup_store": paths.backup_store(),
        "object_store": core_store.parameters(),
        "python": sys.executable,
        "services": services(site),
        "boot_environment": environment_line(lab_environment(site)),
    }


def _paste(with_quiesce: bool) -> str:
    stock = (paths.openstack_venv() / "etc/nova/api-paste.ini").read_text()
    if not with_quiesce:
        return stock
    text = stock.replace(
        "keystonecontext osapi_compute_app_v21", "keystonecontext quiesce osapi_compute_app_v21"
    )
    return f"{text}\n[filter:quiesce]\nuse = egg:multisite-nova#quiesce\n"


def _keys(folder: Path) -> None:
    # What `keystone-manage fernet_setup` makes (0 is the next key, 1 the one in use), without its start-up
    # time.
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("0", "1"):
        if not (folder / name).exists():
            write_private(folder / name, Fernet.generate_key().decode())
