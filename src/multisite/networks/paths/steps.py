"""The steps that make a path on both sides; undone in reverse, each finds what it made by its token.

Addresses first, then the groups (a rule needs the peer's address), then the ports: a port is in no group whose rules
are not yet as they should be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from multisite.clouds import addresses as neutron
from multisite.clouds import networks, resources
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import NotFoundInSite
from multisite.clouds.resources import Kind
from multisite.clouds.waiting import wait_until
from multisite.domain.findings import describe
from multisite.domain.l3_path import EndState, L3Path, PathEnd, judge
from multisite.domain.manifest import SecurityGroupRecord, SecurityGroupRule
from multisite.jobs.model import Made, Step, StepContext, StepFailed
from multisite.networks.addresses.reader import Listen
from multisite.networks.concurrent import until_written
from multisite.store.paths import PathRepository

AGENT_SECONDS = 30.0


@dataclass(frozen=True)
class PathParams:
    """Of the job that makes a path."""

    path_id: str
    name: str
    sites: tuple[str, str]


@dataclass(frozen=True)
class MadeAddress(Made):
    address: str


@dataclass(frozen=True)
class PathSteps(PathParams):
    rows: PathRepository
    opens: Sites
    listen: Listen

    def steps(self) -> list[Step]:
        made: list[Step] = []
        addresses = tuple(f"address-{s}" for s in self.sites)
        for site in self.sites:
            title = f"Give the member in {site} a floating IP"
            run, undo = self.address(site), self.remove(site, "floating_ip")
            made.append(Step(f"address-{site}", title, run, undo, site=site, result=Made))
        for site in self.sites:
            title = f"Make the security group in {site}: the peer alone"
            run, undo = self.group(site), self.remove(site, "security_group")
            made.append(Step(f"group-{site}", title, run, undo, addresses, None, site, result=Made))
        for site in self.sites:
            title = f"Put the member's port in {site} into its group"
            needs = tuple(f"group-{s}" for s in self.sites)
            made.append(Step(f"port-{site}", title, self.port(site), self.no_port(site), needs, None, site))
        needs = tuple(f"port-{s}" for s in self.sites)
        return [
            *made,
            Step(
                "verify", "Compare both sides, and check that nobody else is let in", self.verify, needs=needs
            ),
        ]

    def address(self, site: str) -> Callable[[StepContext], Made]:
        def run(ctx: StepContext) -> Made:
            cloud, end = self._open(site, ctx), self.rows.get(self.path_id).end(site)
            words = f"multisite path {self.name}"
            fresh = ctx.attempt == 1 and not ctx.interrupted
            made = neutron.reserve(cloud, ctx.token, end.network_id, None, words, fresh=fresh)
            made = self._lead(cloud, made.id, end.port_id, words)
            kept = replace(end, floating_ip_id=made.id, address=made.address)
            self._keep(kept)
            return MadeAddress(made.id, made.address)

        return run

    def _open(self, site: str, ctx: StepContext) -> CloudSite:
        """For the project of the job."""
        return self.opens.open(site, for_project=ctx.project_id)

    def _lead(self, cloud: CloudSite, floating_ip_id: str, port_id: str, words: str) -> neutron.FloatingIp:
        def lead() -> neutron.FloatingIp:
            seen = neutron.read(cloud, floating_ip_id)
            return seen if seen.port_id == port_id else neutron.associate(cloud, seen, port_id, words)

        return until_written(f"site {cloud.name}: floating IP {floating_ip_id}", lead)

    def remove(self, site: str, kind: Kind) -> Callable[[StepContext, Made | None], None]:
        def undo(ctx: StepContext, result: Made | None) -> None:
            known = result.id if result else None
            resources.remove(self._open(site, ctx), kind, ctx.token, known, late=result is None)

        return undo

    def group(self, site: str) -> Callable[[StepContext], Made]:
        def run(ctx: StepContext) -> Made:
            path = self.rows.get(self.path_id)
            peer = ctx.result_of(f"address-{path.peer(site).site}", MadeAddress).address
            record = wanted_group(path, peer)
            cloud, fresh = self._open(site, ctx), ctx.attempt == 1 and not ctx.interrupted
            made = networks.ensure_security_group(cloud, ctx.token, record, record.name, fresh=fresh)
            networks.set_rules(cloud, made, record, {})
            self._keep(replace(path.end(site), group_id=made))
            return Made(made)

        return run

    def port(self, site: str) -> Callable[[StepContext], object]:
        def run(ctx: StepContext) -> object:
            group = ctx.result_of(f"group-{site}", Made).id
            end = self.rows.get(self.path_id).end(site)
            self._groups(self._open(site, ctx), end.port_id, lambda groups: {*groups, group})
            return {"group": group}

        return run

    def no_port(self, site: str) -> Callable[[StepContext, object], None]:
        def undo(ctx: StepContext, _result: object) -> None:
            group = ctx.result_of(f"group-{site}", Made).id
            end = self.rows.get(self.path_id).end(site)
            try:
                self._groups(self._open(site, ctx), end.port_id, lambda groups: groups - {group})
            except NotFoundInSite:
                return  # the port is gone, and its groups with it

        return undo

    def _groups(self, cloud: CloudSite, port_id: str, how: Callable[[set[str]], set[str]]) -> None:
        """Change the groups of a port if nobody else does at the same time."""

        def change() -> None:
            seen = neutron.port(cloud, port_id)
            groups = how(set(seen.security_groups))
            if groups == set(seen.security_groups):
                return
            if not seen.port_security:
                raise StepFailed(
                    f"site {cloud.name}: port {port_id} has port security off: no rule would hold"
                )
            neutron.set_groups(cloud, seen, groups)

        until_written(f"site {cloud.name}: port {port_id}", change)

    def verify(self, ctx: StepContext) -> object:
        """Both agents carry the addresses, the rules let in the peer alone, and not this service, which is no peer.

        That the peer *is* let in can only be measured from the peer: ``multisite-probe`` there.
        """
        for site in self.sites:
            end = self.rows.get(self.path_id).end(site)
            self._wait_carried(ctx, site, end)
        path = self.rows.get(self.path_id)
        found = judge(path, [read_end(self.opens, path, site) for site in self.sites])
        if found.findings:
            raise StepFailed(describe(found.findings))
        reachable = {site: reachable_from_outside(path, site, self.listen) for site in self.sites}
        for site, reached in reachable.items():
            if reached:
                raise StepFailed(
                    f"site {site}: {path.lets_in} at {path.end(site).address} is reachable from outside the path: "
                    "take the port out of the security group that lets others in"
                )
        ctx.event(
            "that the peers reach each other is measured at a peer: multisite-probe there (path show tells how)"
        )
        return {"reachable_from_outside": reachable}

    def _wait_carried(self, ctx: StepContext, site: str, end: PathEnd) -> None:
        cloud = self._open(site, ctx)
        wait_until(
            lambda: neutron.read(cloud, str(end.floating_ip_id)), done=("ACTIVE",), failed=("ERROR",),
            timeout=AGENT_SECONDS, what=f"L3 agent of {site} for {end.address}", site=site,
        )  # fmt: skip

    def _keep(self, end: PathEnd) -> None:
        def change(known: L3Path) -> L3Path:
            return replace(known, ends=tuple(end if e.site == end.site else e for e in known.ends))

        self.rows.change(self.path_id, change)


def wanted_group(path: L3Path, peer: str) -> SecurityGroupRecord:
    """The group of one end: everything out (as Neutron's default), the peer alone in."""
    inward = SecurityGroupRule(
        "ingress",
        "IPv4",
        path.protocol,
        path.port,
        path.port,
        f"{peer}/32",
        description=f"peer of {path.name}",
    )
    outward = tuple(SecurityGroupRule("egress", kind) for kind in ("IPv4", "IPv6"))
    return SecurityGroupRecord(
        "", f"multisite-path-{path.name}", f"multisite path {path.name}", True, (inward, *outward)
    )


def reachable_from_outside(path: L3Path, site: str, listen: Listen) -> bool | None:
    """Whether this service, which is no peer, is answered; None: unknown (UDP tells nothing)."""
    address = path.end(site).address
    if address is None or path.protocol not in ("icmp", "tcp"):
        return None
    return listen(address, "icmp" if path.protocol == "icmp" else f"tcp:{path.port}")


def read_end(opens: Sites, path: L3Path, site: str) -> EndState:
    """What a site says of its end; raises SiteError."""
    cloud, end = opens.open(site, for_project=path.project_id), path.end(site)
    port = neutron.port(cloud, end.port_id)
    floating = _or_none(lambda: neutron.read(cloud, str(end.floating_ip_id)))
    rows = {g["id"]: g for g in resources.list_all(cloud, "security_group")}
    ours = rows.get(end.group_id or "")
    others = [g for g in port.security_groups if g != end.group_id]
    return EndState(
        site, True, "", floating.address if floating else None, floating.status if floating else "",
        floating.port_id if floating else None, port.security_groups,
        tuple(ours["security_group_rules"]) if ours else (),
        tuple(rule for g in others for rule in rows.get(g, {}).get("security_group_rules", ())),
        ours is not None, port.port_security,
    )  # fmt: skip


def _or_none(read: Callable[[], neutron.FloatingIp]) -> neutron.FloatingIp | None:
    try:
        return read()
    except NotFoundInSite:
        return None
