"""clouds.yaml: the entries that sites may be registered with."""

from __future__ import annotations

import contextlib
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

import openstack.exceptions
import yaml
from openstack.config import OpenStackConfig

from multisite.clouds import regions
from multisite.clouds.session import SiteSession
from multisite.domain.errors import Invalid


@dataclass(frozen=True)
class CloudEntry:
    """What may be shown of a clouds.yaml entry; never its secrets.  ``problem``: why it is no site's."""

    name: str
    region: str
    auth_url: str
    problem: str = ""


def entries(config_file: str | Path | None = None) -> dict[str, CloudEntry]:
    """The entries of clouds.yaml by name, without their secrets.  Raises Invalid when the file cannot be read."""
    config = read_config(config_file)
    found = {}
    for name in names_of(config):
        with contextlib.suppress(openstack.exceptions.ConfigException):
            problem, region_name = "", None
            try:
                region_name = regions.named(config, name)
            except Invalid as error:
                problem = str(error)
            region = config.get_one(cloud=name, region_name=region_name, validate=False)
            auth_url = str(region.config.get("auth", {}).get("auth_url") or "")
            shown = "" if problem else region.get_region_name() or ""
            found[name] = CloudEntry(name, shown, auth_url, problem)
    return found


def read_config(config_file: str | Path | None) -> OpenStackConfig:
    """None: the SDK's usual places.  Raises Invalid when it cannot be read."""
    files: list[list[str] | None] = [None, None, None]
    if config_file is not None:
        path = Path(config_file)
        if not path.is_file():
            raise Invalid(f"config_file: there is no clouds.yaml at {path}")
        files = [
            [str(path)],
            [str(path.with_name("secure.yaml"))],
            [str(path.with_name("clouds-public.yaml"))],
        ]
    try:
        config = OpenStackConfig(
            config_files=files[0],
            secure_files=files[1],
            vendor_files=files[2],
            load_envvars=False,
            session_constructor=SiteSession,
            app_name="multisite",
            app_version=_version(),
        )
    except (openstack.exceptions.ConfigException, yaml.YAMLError) as error:
        raise Invalid(f"config_file: clouds.yaml cannot be read: {error}") from error
    if config_file is not None and config.config_filename is None:
        # The SDK skips a file it cannot parse and goes on without any.
        raise Invalid(f"config_file: {config_file} is not readable or not YAML")
    return config


def names_of(config: OpenStackConfig) -> list[str]:
    """Of its entries, sorted."""
    names = sorted(config.get_cloud_names())
    # Without any entry the SDK makes up this one.
    return [] if names == ["defaults"] else names


def file_of(config: OpenStackConfig) -> str:
    """The file that was read, for errors."""
    return config.config_filename or "clouds.yaml (none found)"


def _version() -> str:
    try:
        return importlib.metadata.version("multisite")
    except importlib.metadata.PackageNotFoundError:
        return "0"
