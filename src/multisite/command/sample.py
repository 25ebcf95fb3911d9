"""A configuration file with every option, its default and what it means."""

from __future__ import annotations

import io

from oslo_config import cfg, generator

NAMESPACES = (
    "multisite",
    "keystonemiddleware.auth_token",
    "oslo.policy",
    "oslo.middleware.healthcheck",
)


def sample() -> str:
    """Text of the file; every option is commented out."""
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    arguments = [word for name in NAMESPACES for word in ("--namespace", name)]
    conf(["--wrap-width", "100", *arguments], default_config_files=[], default_config_dirs=[])
    out = io.StringIO()
    generator.generate(conf, out)
    return out.getvalue()
