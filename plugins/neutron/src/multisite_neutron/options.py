# SPDX-License-Identifier: Apache-2.0
"""Options of the plugin: group [remote_port] of neutron.conf or ml2_conf.ini."""

from __future__ import annotations

from oslo_config import cfg

from multisite_neutron import names

OPTIONS = [
    cfg.ListOpt(
        "allowed_vteps",
        help="Networks (CIDR, comma separated) in which tunnel endpoints of remote ports may be: the underlay "
        "addresses of the other sites' hosts and gateways. Every other endpoint is refused. Unset: none is "
        "refused for its network. Set and empty: all are.",
        sample_default="172.31.0.0/24, 2001:db8:31::/64",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options known to a configuration; harmless if done before."""
    conf.register_opts(OPTIONS, group=names.DRIVER)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Tell oslo-config-generator about the options."""
    return [(names.DRIVER, OPTIONS)]
