"""The key service of a configuration."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from multisite.command import arguments as common
from multisite.identity.keys.schedule import check_key_count
from multisite.identity.keys.service import KeyService, Settings
from multisite.identity.topology import file as topology_file


def service(arguments: argparse.Namespace) -> KeyService:
    """The service over the configured topology and folder."""
    conf = common.configuration(arguments)
    options = conf.identity_keys
    migrate = tuple(shlex.split(options.credential_migrate or ""))
    folder = Path(options.path or Path(conf.state_path) / "keys")
    topology = topology_file.read(Path(options.topology))
    if options.max_active_keys:
        check_key_count(topology.tokens, options.max_active_keys)
    return KeyService(topology, folder, settings=Settings(options.site_timeout, options.parallel, migrate))
