# SPDX-License-Identifier: Apache-2.0
"""`multisite-neutron-check`: what is missing or wrong for remote ports in Neutron's ini files.

Reads files only, of the host it runs on; asks no service.  Exit status: 0 nothing wrong, 1 something is, 2 called
wrongly or a file cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from oslo_config import cfg

from multisite_neutron import check_rules
from multisite_neutron.check_rules import Finding

_ETC = Path("/etc/neutron")
SERVER_FILES = (_ETC / "neutron.conf", _ETC / "plugins/ml2/ml2_conf.ini")
AGENT_FILE = _ETC / "plugins/ml2/openvswitch_agent.ini"
STRETCHED = "5000:5999"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    asked = _parser().parse_args(arguments)
    try:
        vnis = check_rules.parse_vnis(asked.stretched_vnis)
        findings = run(_server_files(asked), asked.config_dir, _agent_files(asked), vnis)
    except (ValueError, cfg.Error, OSError) as error:
        sys.stderr.write(f"multisite-neutron-check: {error}\n")
        return 2
    for finding in findings:
        if finding.level != "ok" or not asked.quiet:
            sys.stdout.write(f"{finding.level:<8}{finding.option}: {finding.message}\n")
    wrong = sum(finding.level == "error" for finding in findings)
    warned = sum(finding.level == "warning" for finding in findings)
    sys.stdout.write(f"{wrong} errors, {warned} warnings\n")
    return 1 if wrong else 0


def run(
    server: Sequence[Path], folders: Sequence[Path], agents: Sequence[Path], stretched: list[tuple[int, int]]
) -> list[Finding]:
    """Check one Neutron's files; later files win, as in Neutron itself.

    Raises oslo.config's errors for files that are missing or no ini files.
    """
    conf = check_rules.read(check_rules.SERVER, server, folders)
    findings = check_rules.installation()
    findings += check_rules.drivers(conf)
    findings += check_rules.vnis(conf, stretched)
    findings += check_rules.allow_list(conf)
    findings += check_rules.policy(conf)
    if not agents:
        message = (
            "no agent's file was read; give --agent-config, for a network and a compute host's agent each"
        )
        findings.append(Finding("warning", "agents", message))
    for file in agents:
        findings += check_rules.agent(check_rules.read(check_rules.AGENT, [file], ()), conf, file.name)
    return findings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("multisite-neutron-check", description=(__doc__ or "").split("\n", 1)[0])
    files = ", ".join(str(file) for file in SERVER_FILES)
    repeated = {"action": "append", "type": Path, "default": []}
    parser.add_argument(
        "--config-file", metavar="FILE", help=f"of the server, in its order; default: {files}", **repeated
    )
    parser.add_argument(
        "--config-dir", metavar="FOLDER", help="of the server: *.conf, read after the files", **repeated
    )
    parser.add_argument(
        "--agent-config", metavar="FILE", help=f"of an OVS agent; default: {AGENT_FILE}", **repeated
    )
    parser.add_argument(
        "--stretched-vnis", metavar="FROM:TO,...", default=STRETCHED,
        help=f"VNIs that stretched networks use; no site may give them out by itself; default: {STRETCHED}",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="print errors and warnings only")
    return parser


def _server_files(asked: argparse.Namespace) -> list[Path]:
    if asked.config_file or asked.config_dir:
        return list(asked.config_file)
    found = [file for file in SERVER_FILES if file.exists()]
    if not found:
        raise ValueError(f"none of {', '.join(map(str, SERVER_FILES))} is there; give --config-file")
    return found


def _agent_files(asked: argparse.Namespace) -> list[Path]:
    return list(asked.agent_config) or [file for file in (AGENT_FILE,) if file.exists()]


if __name__ == "__main__":
    sys.exit(main())
