# SPDX-License-Identifier: Apache-2.0
"""Options of the filter: group [multisite_quiesce] of nova.conf."""

from oslo_config import cfg

GROUP = "multisite_quiesce"

OPTIONS = [
    cfg.IntOpt("default_timeout", default=30, min=1, help="Seconds a server stays frozen if the caller names no limit."),
    cfg.IntOpt("max_timeout", default=600, min=1, help="The longest limit a caller may ask for, in seconds."),
    cfg.IntOpt(
        "freeze_timeout",
        default=10,
        min=1,
        help="Seconds a caller of quiesce or unquiesce waits for the guest. A freeze not confirmed by then counts as "
        "failed: the caller gets 409 and the guest is thawed.",
    ),
    cfg.IntOpt(
        "thaw_timeout",
        default=40,
        min=1,
        help="Seconds one attempt to thaw waits for nova-compute. Keep it above 30, libvirt's own limit for a guest "
        "agent that is busy, so that an attempt ends with an answer and not with silence.",
    ),
    cfg.IntOpt(
        "late_period",
        default=120,
        min=1,
        help="Seconds for which a request nova-compute has not answered is expected to take effect after all. A guest "
        "is thawed again and again until this time is over.",
    ),
    cfg.IntOpt(
        "scan_interval",
        default=10,
        min=1,
        help="Seconds between two looks for servers frozen through other nova-api processes.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options known to a configuration; harmless if done before."""
    conf.register_opts(OPTIONS, group=GROUP)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Tell oslo-config-generator about the options."""
    return [(GROUP, OPTIONS)]
