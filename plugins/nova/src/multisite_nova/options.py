# SPDX-License-Identifier: Apache-2.0
"""Options of the filter: group [multisite_quiesce] of nova.conf."""

from oslo_config import cfg

GROUP = "multisite_quiesce"

_DEFAULTS_AND_HELP = {
    "default_timeout": (30, "Seconds a server stays frozen if the caller names no limit."),
    "max_timeout": (600, "The longest limit a caller may ask for, in seconds."),
    "freeze_timeout": (
        10,
        "Seconds a caller of quiesce or unquiesce waits for the guest. A freeze not confirmed by then counts "
        "as failed: the caller gets 409 and the guest is thawed.",
    ),
    "thaw_timeout": (
        40,
        "Seconds an attempt to thaw waits for nova-compute. Above 30, libvirt's own limit for a guest agent "
        "that is busy, it ends with an answer and not with silence.",
    ),
    "late_period": (
        120,
        "Seconds for which a request nova-compute has not answered may still take effect. Until then the "
        "guest is thawed again and again, and not frozen anew.",
    ),
    "scan_interval": (10, "Seconds between two looks for servers frozen through other nova-api processes."),
}

OPTIONS = [cfg.IntOpt(n, default=value, min=1, help=text) for n, (value, text) in _DEFAULTS_AND_HELP.items()]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options known to a configuration; harmless if done before."""
    conf.register_opts(OPTIONS, group=GROUP)


def list_opts() -> list[tuple[str, list[cfg.IntOpt]]]:
    """Tell oslo-config-generator about the options."""
    return [(GROUP, OPTIONS)]
