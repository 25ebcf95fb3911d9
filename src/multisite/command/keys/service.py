"""The key service of a configuration."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from multisite.command import arguments as common
from multisite.domain.errors import Invalid
from multisite.identity.keys.schedule import check_key_count
from multisite.identity.keys.service import KeyService, Settings
from multisite.identity.topology import file as topology_file


def service(arguments: argparse.Namespace) -> KeyService:
    """The service over the configured topology and folder."""
    conf = common.configuration(arguments)
    options = conf.identity_keys
    migrate = program("credential_migrate", options.credential_migrate)
    folder = Path(options.path or Path(conf.state_path) / "keys")
    topology = topology_file.read(Path(options.topology))
    if options.max_active_keys:
        check_key_count(topology.tokens, options.max_active_keys)
    return KeyService(topology, folder, settings=Settings(options.site_timeout, options.parallel, migrate))


def program(option: str, value: str | None) -> tuple[str, ...]:
    """A program with its arguments, of an option of [identity_keys]; no shell sees it.  Raises Invalid."""
    try:
        words = tuple(shlex.split(value or ""))
    except ValueError as error:
        raise Invalid(f"[identity_keys] {option}: {error}: quote it as in a shell") from None
    if not all(map(str.isprintable, words)) or (value and not (words and words[0])):
        raise Invalid(f"[identity_keys] {option}: names no program, or has control characters: correct it")
    return words
