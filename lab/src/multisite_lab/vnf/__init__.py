"""The demonstration application: a few guests that depend on each other, and the proof that they are whole.

Everything here talks to a site through its public APIs, so it must run where they can be reached
(``multisite-lab exec -- ...``); consoles and agents are read through ``multisite_lab.sites``.
"""

from multisite_lab.guest.console import FREEZE_MARK, Record, marked
from multisite_lab.vnf.deploy import deploy
from multisite_lab.vnf.inventory import Server, Vnf, find, servers
from multisite_lab.vnf.proof import Proof, expected, marked_record, newest_record, proof, proofs, wait_working
from multisite_lab.vnf.remove import destroy, leftovers
from multisite_lab.vnf.site import connect, site_of

__all__ = [
    "FREEZE_MARK",
    "Proof",
    "Record",
    "Server",
    "Vnf",
    "connect",
    "deploy",
    "destroy",
    "expected",
    "find",
    "leftovers",
    "marked",
    "marked_record",
    "newest_record",
    "proof",
    "proofs",
    "servers",
    "site_of",
    "wait_working",
]
