"""Dynamic updates of a zone at its primary server (RFC 2136), signed with TSIG (RFC 8945), by dnspython.

What is to be replaced is a prerequisite of the update ("RRset exists, value dependent", 2.4.2), so the server itself
compares and changes in one step.  A CNAME at the name is refused before: a server leaves other records out then and
says nothing (3.4.2.2).  Everything goes over TCP: an answer that was lost is noticed, and a dead server at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update

from multisite.domain import fence
from multisite.recovery.dns.model import DnsRefused, DnsUnknown, RecordSet, RecordType, address_of, changed

SECONDS = 5.0
"""Of one question or update."""
_DIFFERS = frozenset({dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN})
"""A prerequisite is not met."""
_REMEDIES = {
    "BadKey": "it does not know the key, or has another algorithm or secret for its name: compare both files",
    "BadSignature": "the secret is another one there: compare both files",
    "BadTime": "the clocks differ by more than five minutes: set them",
}


@dataclass(frozen=True)
class Rfc2136:
    """A zone at a server (an address).  ``key`` gives the key, and is asked each time."""

    zone: str
    server: str
    port: int
    key: Callable[[], dns.tsig.Key]

    def read(self, name: str, kind: RecordType) -> RecordSet:
        """As ``DnsDriver``.  Signed, too: nobody else answers in the server's place."""
        question = dns.message.make_query(_absolute(name), kind, flags=0)
        answer = self._ask(question, f"read {name} {kind}")
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise self._refused(f"read {name} {kind}", answer.rcode())
        if not answer.flags & dns.flags.AA:
            raise DnsRefused(
                f"{self._where}: it is not the authority for {name}: correct its address, or the zone in the plan"
            )
        for rrset in answer.answer:
            if rrset.name == _absolute(name) and rrset.rdtype.name == "CNAME":
                raise DnsRefused(
                    f"{self._where}: {name} is an alias (CNAME) of {rrset[0]}: update that name instead"
                )
            if rrset.name == _absolute(name) and rrset.rdtype.name == kind:
                return RecordSet(tuple(sorted(address_of(str(one))[1] for one in rrset)), rrset.ttl)
        return RecordSet()

    def replace(self, name: str, kind: RecordType, old: RecordSet, new: RecordSet) -> None:
        """As ``DnsDriver``."""
        wanted = dns.update.UpdateMessage(_absolute(self.zone))
        owner = _absolute(name)
        if old.values:
            wanted.present(owner, kind, *old.values)
        else:
            wanted.absent(owner, kind)
        wanted.absent(owner, "CNAME")
        wanted.delete(owner, kind)
        if new.values:
            wanted.add(owner, new.ttl, kind, *new.values)
        what = f"update {name} {kind}"
        fence.check()
        code = self._ask(wanted, what).rcode()
        if code in _DIFFERS:
            if (found := self.read(name, kind)).values != new.values:
                raise changed(name, kind, found, old)
        elif code != dns.rcode.NOERROR:
            raise self._refused(what, code)

    @property
    def _where(self) -> str:
        return f"DNS server {self.server} port {self.port}"

    def _ask(self, message: dns.message.Message, what: str) -> dns.message.Message:
        message.use_tsig(self.key())
        try:
            return dns.query.tcp(message, self.server, timeout=SECONDS, port=self.port)
        except (dns.tsig.PeerError, dns.tsig.BadSignature, dns.tsig.BadTime, dns.tsig.BadKey) as error:
            kind = type(error).__name__.removeprefix("Peer")
            raise DnsRefused(f"{self._where}: {what}: TSIG: {_REMEDIES.get(kind, kind)}") from error
        except (dns.exception.DNSException, OSError, EOFError) as error:
            said = "no answer in time" if isinstance(error, dns.exception.Timeout) else str(error)
            raise DnsUnknown(
                f"{self._where}: {what}: {said or type(error).__name__}: start it, or make it reachable"
            ) from error

    def _refused(self, what: str, code: dns.rcode.Rcode) -> DnsRefused | DnsUnknown:
        said = f"{self._where}: {what}: it says {dns.rcode.to_text(code)}"
        if code == dns.rcode.SERVFAIL:
            return DnsUnknown(f"{said}: look into its log")
        rights = f"let its administrator allow the key that (zone {self.zone}: update-policy, allow-query)"
        return DnsRefused(f"{said}: {rights}, or correct the zone")


def _absolute(name: str) -> dns.name.Name:
    return dns.name.from_text(name, dns.name.root)
