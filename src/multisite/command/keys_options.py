"""Where the key service's commands get the topology and their settings from."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from oslo_config import cfg

from multisite.command import arguments as common
from multisite.identity.keys.service import KeyService, Settings
from multisite.identity.topology import file as topology_file
from multisite.identity.topology.model import Topology


def service(arguments: argparse.Namespace) -> KeyService:
    """The service over the configured topology and folder."""
    conf = common.configuration(arguments)
    options = conf.identity_keys
    settings = Settings(
        options.site_timeout, options.parallel, tuple(shlex.split(options.credential_migrate or ""))
    )
    made = KeyService(topology(conf), folder(conf), settings=settings)
    if options.max_active_keys:
        from multisite.identity.keys.schedule import check_key_count

        check_key_count(made.topology.tokens, options.max_active_keys)
    return made


def folder(conf: cfg.ConfigOpts) -> Path:
    return Path(conf.identity_keys.path or Path(conf.state_path) / "keys")


def topology(conf: cfg.ConfigOpts) -> Topology:
    """The one place that knows how a topology is read."""
    return topology_file.read(Path(conf.identity_keys.topology))
