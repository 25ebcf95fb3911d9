# SPDX-License-Identifier: Apache-2.0
"""The rules of `multisite-neutron-check`, one function for each subject; pure but for the files they are given."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from oslo_config import cfg

from multisite_neutron import names, options

Ranges = list[tuple[int, int]]
MAX_VNI = 2**24 - 1

SERVER: Mapping[str | None, Sequence[cfg.Opt]] = {
    None: [
        cfg.StrOpt("core_plugin"),
        cfg.ListOpt("service_plugins", default=[]),
        cfg.IntOpt("agent_down_time", default=75),
    ],
    "ml2": [
        cfg.ListOpt("type_drivers", default=["local", "flat", "vlan", "gre", "vxlan", "geneve"]),
        cfg.ListOpt("mechanism_drivers", default=[]),
        cfg.ListOpt("extension_drivers", default=[]),
        cfg.IntOpt("overlay_ip_version", default=4),
    ],
    "ml2_type_vxlan": [cfg.ListOpt("vni_ranges", default=[])],
    names.DRIVER: options.OPTIONS,
}
"""The server's options that matter, with Neutron 29's defaults."""

AGENT: Mapping[str | None, Sequence[cfg.Opt]] = {
    "agent": [
        cfg.BoolOpt("l2_population", default=False),
        cfg.BoolOpt("arp_responder", default=False),
        cfg.ListOpt("tunnel_types", default=[]),
        cfg.IntOpt("vxlan_udp_port", default=4789),
    ],
    "ovs": [cfg.StrOpt("local_ip")],
}
"""The same of the Open vSwitch agent."""

ENTRY_POINTS = ("neutron.ml2.mechanism_drivers", "neutron.ml2.extension_drivers", "neutron.policies")


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``option`` names the file's section and option, ``message`` what is wrong and what to do."""

    level: Literal["ok", "warning", "error"]
    option: str
    message: str


def read(
    known: Mapping[str | None, Sequence[cfg.Opt]], files: Sequence[Path], folders: Sequence[Path]
) -> cfg.ConfigOpts:
    """Read ini files as Neutron does; raises cfg.Error for those that are missing or unreadable."""
    conf = cfg.ConfigOpts()
    for group, opts in known.items():
        conf.register_opts(opts, group=group)
    conf(
        [],
        project="neutron",
        default_config_files=[str(file) for file in files],
        default_config_dirs=[str(folder) for folder in folders],
    )
    return conf


def parse_vnis(text: str | Sequence[str]) -> Ranges:
    """Read ranges "from:to"; raises ValueError naming the one that is none."""
    ranges = []
    for part in text.split(",") if isinstance(text, str) else text:
        first, _, last = part.strip().partition(":")
        if not (first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last) <= MAX_VNI):
            raise ValueError(f"{part!r} is no range of VNIs; write FROM:TO, for example 5000:5999")
        ranges.append((int(first), int(last)))
    return ranges


def installation() -> list[Finding]:
    """Look whether Neutron, run by this interpreter, would find the plugin."""
    missing = [
        group
        for group in ENTRY_POINTS
        if not any(e.value.startswith("multisite_neutron.") for e in metadata.entry_points(group=group))
    ]
    if missing:
        message = f"no entry point in {', '.join(missing)} of this Python; pip install it where Neutron is"
        return [Finding("error", "multisite-neutron", message)]
    return [Finding("ok", "multisite-neutron", "installed")]


def drivers(conf: cfg.ConfigOpts) -> list[Finding]:
    """Look at the core plugin and the drivers of ML2."""
    found = [
        *_plugin(conf),
        *_mechanisms(conf.ml2.mechanism_drivers),
        *_extensions(conf.ml2.extension_drivers),
    ]
    return found or [Finding("ok", "[ml2]", "plugin and drivers")]


def _plugin(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    core = conf.core_plugin or ""
    if core != "ml2" and not core.endswith(".Ml2Plugin"):
        yield Finding("error", "[DEFAULT] core_plugin", f"is {core or 'unset'}; set ml2")
    if "vxlan" not in conf.ml2.type_drivers:
        yield Finding("error", "[ml2] type_drivers", "without vxlan: no network can be stretched; add it")
    if conf.agent_down_time < 3:
        message = "below 3 seconds: shadow agents would be shown dead"
        yield Finding("error", "[DEFAULT] agent_down_time", message)


def _mechanisms(mechanisms: Sequence[str]) -> Iterator[Finding]:
    option = "[ml2] mechanism_drivers"
    why = {
        "openvswitch": "remote ports are flows of its agents",
        "l2population": "it tells the agents of remote ports",
        names.DRIVER: "it binds remote ports",
    }
    for name, reason in why.items():
        if name not in mechanisms:
            yield Finding("error", option, f"without {name}: {reason}; add it")
    if names.DRIVER in mechanisms and mechanisms[-1] != names.DRIVER:
        message = f"{names.DRIVER} is not the last: it is tested as the first and the last; put it last"
        yield Finding("warning", option, message)
    if "ovn" in mechanisms:
        yield Finding("warning", option, "hosts run by ovn will not reach remote ports")


def _extensions(extensions: Sequence[str]) -> Iterator[Finding]:
    option = "[ml2] extension_drivers"
    if names.DRIVER not in extensions:
        yield Finding("error", option, f"without {names.DRIVER}: ports have no tunneling_ip; add it")
    if "port_security" not in extensions:
        message = (
            "without port_security: port_security_enabled=false cannot be asked for a remote port; add it"
        )
        yield Finding("warning", option, message)


def vnis(conf: cfg.ConfigOpts, stretched: Ranges) -> list[Finding]:
    """Look whether this site could give a VNI of a stretched network to an ordinary one."""
    option, found = "[ml2_type_vxlan] vni_ranges", []
    if "network_segment_range" in conf.service_plugins:
        message = (
            "network_segment_range is on: its ranges count, not vni_ranges; see `network segment range list`"
        )
        found.append(Finding("warning", "[DEFAULT] service_plugins", message))
    try:
        own = parse_vnis(conf.ml2_type_vxlan.vni_ranges)
    except ValueError as error:
        return [*found, Finding("error", option, str(error))]
    if not own:
        # Neutron accepts an explicit provider:segmentation_id all the same.
        found.append(Finding("warning", option, "unset: projects of this site cannot create VXLAN networks"))
    for first, last in own:
        for low, high in stretched:
            if first <= high and low <= last:
                message = (
                    f"{first}:{last} holds VNIs {max(first, low)} to {min(last, high)} of stretched networks "
                    f"({low}:{high}): an ordinary network could get one and join the other sites'; take them out"
                )
                found.append(Finding("error", option, message))
    return found or [Finding("ok", option, "apart from the VNIs of stretched networks")]


def allow_list(conf: cfg.ConfigOpts) -> list[Finding]:
    """Look at the networks in which tunnel endpoints may be."""
    option = "[remote_port] allowed_vteps"
    entries = conf[names.DRIVER].allowed_vteps
    if entries is None:
        message = (
            "unset: any address is accepted as a tunnel endpoint; name the networks of the other sites' hosts"
        )
        return [Finding("warning", option, message)]
    if not entries:
        return [
            Finding(
                "error",
                option,
                "empty: every remote port is refused; name the networks of the other sites' hosts",
            )
        ]
    try:
        networks = [ipaddress.ip_network(entry) for entry in entries]
    except ValueError as error:
        return [Finding("error", option, f"{error}; until it is corrected every remote port is refused")]
    found = []
    version = conf.ml2.overlay_ip_version
    for network in networks:
        if network.prefixlen == 0:
            found.append(
                Finding("warning", option, f"{network} allows any address; name the networks of hosts only")
            )
        if network.version != version:
            message = f"{network} is of no use: [ml2] overlay_ip_version is {version}"
            found.append(Finding("warning", option, message))
    return found or [Finding("ok", option, ", ".join(str(network) for network in networks))]


def policy(conf: cfg.ConfigOpts) -> list[Finding]:
    """Ask the rules, with the operator's changes, what an admin, a service and a member may do."""
    try:
        from neutron import policy as _checks  # noqa: F401 - defines the kinds of checks Neutron's rules use
        from neutron.conf import policies as neutron_policies
        from oslo_policy import policy as oslo_policy
    except ImportError as error:
        return [Finding("warning", "policy", f"not looked at: {error}; run this with Neutron's Python")]
    from multisite_neutron import policy as ours

    enforcer = oslo_policy.Enforcer(conf)
    enforcer.suppress_default_change_warnings = enforcer.suppress_deprecation_warnings = True
    enforcer.register_defaults([*neutron_policies.list_rules(), *ours.RULES])
    try:
        enforcer.load_rules(True)
    except Exception as error:  # any fault of the file, from YAML to a rule that refers to itself
        return [Finding("error", "[oslo_policy] policy_file", f"cannot be read: {error}")]
    found = []
    target = {"project_id": "p", "tenant_id": "p"}
    for rule in ours.RULES:
        for role, expected in (("admin", True), ("service", True), ("member", False)):
            roles = [role] if role != "member" else ["member", "reader"]
            user = {"roles": roles, "project_id": "p", "tenant_id": "p", "user_id": "u"}
            if bool(enforcer.enforce(rule.name, target, user)) != expected:
                what = "lets members of a project do it" if not expected else f"keeps the role {role} from it"
                level: Literal["warning", "error"] = "warning" if role == "service" else "error"
                found.append(Finding(level, f"policy {rule.name}", f"{what}; default: {rule.check_str}"))
    return found or [Finding("ok", "policy", "tunneling_ip is for admins and services")]


def agent(conf: cfg.ConfigOpts, server: cfg.ConfigOpts, file: str) -> list[Finding]:
    """Look at an Open vSwitch agent's file."""

    def at(level: Literal["ok", "warning", "error"], option: str, message: str) -> Finding:
        return Finding(level, f"{file} {option}", message)

    found = []
    if not conf.agent.l2_population:
        found.append(at("error", "[agent] l2_population", "off: the agent ignores remote ports; set true"))
    if "vxlan" not in conf.agent.tunnel_types:
        found.append(at("error", "[agent] tunnel_types", "without vxlan: the agent makes no tunnels; add it"))
    if not conf.agent.arp_responder:
        found.append(
            at("warning", "[agent] arp_responder", "off: every ARP request goes to all sites; set true")
        )
    if conf.agent.vxlan_udp_port != 4789:
        message = f"is {conf.agent.vxlan_udp_port}: it must be the same in all sites"
        found.append(at("warning", "[agent] vxlan_udp_port", message))
    found += [at("error", "[ovs] local_ip", fault) for fault in _local_ip(conf.ovs.local_ip, server)]
    return found or [at("ok", "[agent]", f"tunnels from {conf.ovs.local_ip}")]


def _local_ip(value: Any, server: cfg.ConfigOpts) -> list[str]:
    try:
        address = ipaddress.ip_address(value or "")
    except ValueError:
        return [f"is {value or 'unset'}; set the address of this host's tunnel endpoint"]
    version = server.ml2.overlay_ip_version
    if address.version != version:
        return [f"{address} is not IPv{version}, which [ml2] overlay_ip_version asks for"]
    return []
