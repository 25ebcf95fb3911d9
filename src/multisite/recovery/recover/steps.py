"""The steps of a recovery: each finds by token what an earlier run of it made, and its undo removes that.

No step calls the source site: everything is in the plan, user data in the backup store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from multisite.clouds import build, networks, resources, trunks
from multisite.clouds.connect import CloudSite
from multisite.clouds.resources import Kind, tokens
from multisite.domain.manifest import Manifest, ServerRecord
from multisite.jobs.model import Made, Step, StepContext, StepFailed
from multisite.recovery.methods.base import ProtectionMethod, RestoreTarget, fresh
from multisite.recovery.methods.standby import KeepsStandby
from multisite.recovery.methods.table import METHODS
from multisite.recovery.plans.outside import NOTHING, Outside
from multisite.recovery.recover import model
from multisite.recovery.recover.readiness import wait_ready

UNDO_SECONDS = 1800.0

Run = Callable[[StepContext], Made]
Undo = Callable[[StepContext, Made | None], None]


@dataclass(frozen=True)
class MadePort(Made):
    mac_address: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class MadeKeypair(Made):
    """``made``: not by another recovery since the plan was made."""

    made: bool = True


@dataclass(frozen=True)
class Booted(Made):
    """``devices``: by source volume id."""

    devices: dict[str, str]


@dataclass(frozen=True)
class Ready(Booted):
    """A server that passed its gate, as the recovery shows it.  ``console``: the line that said so."""

    name: str
    source_id: str
    addresses: tuple[str, ...]
    console: str | None
    mark: str | None
    ready_at: datetime


@dataclass(frozen=True)
class Steps:
    """What the steps of one plan do.  ``site`` opens the target, ``manifest`` reads the restore point."""

    plan: model.RecoverPlan
    site: Callable[[StepContext], CloudSite]
    manifest: Callable[[], Manifest]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    methods: Mapping[str, ProtectionMethod] = field(default_factory=lambda: METHODS)
    outside: Outside = NOTHING

    @cached_property
    def networks(self) -> dict[str, model.PlannedNetwork]:
        return {n.record.id: n for n in self.plan.networks}

    @cached_property
    def subnets(self) -> dict[str, model.PlannedSubnet]:
        return {s.record.id: s for n in self.plan.networks for s in n.subnets}

    @cached_property
    def groups(self) -> dict[str, model.PlannedGroup]:
        return {g.record.id: g for g in self.plan.security_groups}

    @cached_property
    def ports(self) -> dict[str, model.PlannedPort]:
        return {p.record.id: p for p in self.plan.ports}

    @cached_property
    def trunks(self) -> dict[str, model.PlannedTrunk]:
        """By the id of the parent port."""
        return {t.record.port_id: t for t in self.plan.trunks}

    @cached_property
    def volumes(self) -> dict[str, model.PlannedVolume]:
        return {v.record.id: v for v in self.plan.volumes}

    @cached_property
    def flavors(self) -> dict[str, model.PlannedFlavor]:
        return {model.flavor_key(f.record): f for f in self.plan.flavors}

    @cached_property
    def server_groups(self) -> dict[str, model.PlannedServerGroup]:
        return {g.record.id: g for g in self.plan.server_groups}

    def restore(self, volume: model.PlannedVolume) -> list[Step]:
        """The steps of the method that protected the volume; the one named ``volume.step`` gives its id."""
        boots = any(s.record.volume_ids[:1] == (volume.record.id,) for s in self.plan.servers)
        target = RestoreTarget(self.plan.target_site, self.site, bootable=volume.record.bootable or boots)
        method = self.methods[volume.method]
        if volume.standby is not None and isinstance(method, KeepsStandby):
            return method.promote_steps(volume, target)
        return method.restore_steps(volume, target)

    # What ports need

    def ensure(self, act: Callable[..., str], *wanted: object) -> Run:
        """Find or create by the step's token; ``act`` gives the id."""
        return lambda ctx: Made(act(self.site(ctx), ctx.token, *wanted, fresh=fresh(ctx)))

    def make_subnet(self, network: model.PlannedNetwork, subnet: model.PlannedSubnet) -> Run:
        def run(ctx: StepContext) -> Made:
            network_id = self.id_of(ctx, network)
            made = networks.ensure_subnet(
                self.site(ctx), ctx.token, subnet.record, network_id, fresh=fresh(ctx)
            )
            return Made(made)

        return run

    def set_rules(self, ctx: StepContext) -> dict[str, int]:
        """Rules of all new groups, now that every group they may refer to is there."""
        ids = {
            source: self.id_of(ctx, group) for source, group in self.groups.items()
        } | self.plan.remote_groups
        new = [g for g in self.plan.security_groups if g.use is None]
        for group in new:
            networks.set_rules(self.site(ctx), ids[group.record.id], group.record, ids)
        return {"groups": len(new)}

    def make_port(self, port: model.PlannedPort) -> Run:
        record = port.record
        kept = port.mac_address is not None or bool(port.addresses)
        of_server = any(record.id in server.record.port_ids for server in self.plan.servers)

        def run(ctx: StepContext) -> MadePort:
            made = networks.ensure_port(
                self.site(ctx),
                ctx.token,
                record,
                network_id=self.id_of(ctx, self.networks[record.network_id]),
                mac_address=port.mac_address,
                fixed_ips=self._fixed_ips(ctx, port) if kept else None,
                security_group_ids=[self.id_of(ctx, self.groups[g]) for g in record.security_group_ids],
                qos_policy_id=self.plan.qos_policies.get(record.qos_policy_id or ""),
                expected=[a.address for a in record.fixed_addresses] if kept else (),
                fresh=fresh(ctx),
            )
            if not of_server:
                networks.finish_port(self.site(ctx), made.id, record)
            return MadePort(made.id, made.mac_address, tuple(made.addresses))

        return run

    def _fixed_ips(self, ctx: StepContext, port: model.PlannedPort) -> list[dict[str, str]]:
        found = []
        for wanted in port.addresses:
            subnet = self.subnets[wanted.subnet_id or ""]
            asked = {"subnet_id": self.id_of(ctx, subnet)}
            found.append(asked | ({"ip_address": wanted.address} if wanted.address else {}))
        return found

    def make_trunk(self, trunk: model.PlannedTrunk) -> Run:
        def run(ctx: StepContext) -> Made:
            wanted = [trunk.record.port_id, *(one.port_id for one in trunk.record.subports)]
            ids = {source: self.id_of(ctx, self.ports[source]) for source in wanted}
            made = trunks.ensure_trunk(self.site(ctx), ctx.token, trunk.record, ids, fresh=fresh(ctx))
            return Made(made)

        return run

    def remove_trunk(self, ctx: StepContext, result: Made | None) -> None:
        trunks.remove_trunk(self.site(ctx), ctx.token, result.id if result else None, late=result is None)

    def switch_dhcp_on(self, network: model.PlannedNetwork) -> Callable[[StepContext], object]:
        def run(ctx: StepContext) -> object:
            late = [s for s in network.subnets if s.use is None and networks.dhcp_can_wait(s.record)]
            for subnet in late:
                networks.enable_dhcp(self.site(ctx), self.id_of(ctx, subnet))
            return {"subnets": len(late)}

        return run

    def remove(self, kind: Kind) -> Undo:
        def undo(ctx: StepContext, result: Made | None) -> None:
            known = result.id if result else None
            resources.remove(self.site(ctx), kind, ctx.token, known, late=result is None)

        return undo

    # What servers need, and servers

    def make_keypair(self, keypair: model.PlannedKeypair) -> Run:
        def run(ctx: StepContext) -> MadeKeypair:
            again = not fresh(ctx)  # then what is there is this step's own: the plan saw none
            made = build.ensure_keypair(self.site(ctx), keypair.record, keypair.name)
            return MadeKeypair(keypair.name, made or again)

        return run

    def remove_keypair(self, keypair: model.PlannedKeypair) -> Undo:
        def undo(ctx: StepContext, result: Made | None) -> None:
            if not isinstance(result, MadeKeypair) or result.made:
                build.remove_keypair(self.site(ctx), keypair.record, keypair.name)

        return undo

    def remove_server(self, server: model.PlannedServer) -> Undo:
        def undo(ctx: StepContext, result: Made | None) -> None:
            build.remove_servers(
                self.site(ctx),
                ctx.token,
                result.id if result else None,
                timeout=UNDO_SECONDS,
                late=result is None,
                locked=server.record.locked,
            )

        return undo

    def boot(self, server: model.PlannedServer) -> Run:
        """Boot with all its ports and volumes, and look that each volume became the device it was."""

        def run(ctx: StepContext) -> Booted:
            site = self.site(ctx)
            server_id = build.ensure_server(
                site,
                ctx.token,
                self._wanted(ctx, server),
                timeout=self.plan.readiness.boot_timeout,
                on_poll=lambda state: ctx.progress(0, 1, "servers", state),
                cancelled=ctx.cancelled,
                fresh=fresh(ctx),
            )
            for port in (self.ports[p] for p in server.record.port_ids):
                networks.finish_port(site, self.id_of(ctx, port), port.record)
            devices = self._checked_devices(ctx, server, build.attached_devices(site, server_id))
            ctx.progress(1, 1, "servers", "ACTIVE")
            return Booted(server_id, devices)

        return run

    def _wanted(self, ctx: StepContext, server: model.PlannedServer) -> build.WantedServer:
        record = server.record
        group = self.server_groups.get(record.server_group_id or "")
        return build.WantedServer(
            name=record.name,
            flavor_id=self.id_of(ctx, self.flavors[model.flavor_key(record.flavor)]),
            port_ids=[self.id_of(ctx, self.ports[p]) for p in record.port_ids],
            volume_ids=[self.id_of(ctx, self.volumes[v]) for v in record.volume_ids],
            key_name=server.key_name,
            availability_zone=server.availability_zone,
            server_group_id=self.id_of(ctx, group) if group else None,
            metadata={**record.metadata, **self._copy()},
            tags=record.tags,
            description=record.description,
            hostname=record.hostname,
            config_drive=record.config_drive,
            user_data=self._user_data(server) if server.has_user_data else None,
            device_tags=self._device_tags(ctx, record),
        )

    def _device_tags(self, ctx: StepContext, record: ServerRecord) -> dict[str, str]:
        ports = [self.ports[p] for p in record.port_ids]
        found = {self.id_of(ctx, port): port.record.device_tag for port in ports}
        volumes = [self.volumes[v] for v in record.volume_ids]
        found |= {self.id_of(ctx, volume): volume.record.device_tag for volume in volumes}
        return {id: tag for id, tag in found.items() if tag}

    def _copy(self) -> dict[str, str]:
        """By this a server tells which copy of which application it is of, or of which drill."""
        if self.plan.drill:
            return {tokens.DRILL_KEY: self.plan.drill}
        if not self.plan.epoch:
            return {}
        return {tokens.APPLICATION_KEY: self.plan.application_id, tokens.EPOCH_KEY: str(self.plan.epoch)}

    def _user_data(self, server: model.PlannedServer) -> str | None:
        known = {s.id: s.user_data for s in self.manifest().servers}
        return known[server.record.id]

    def _checked_devices(
        self, ctx: StepContext, server: model.PlannedServer, seen: dict[str, str]
    ) -> dict[str, str]:
        """Devices by source volume id.  The order must be the source's; other names are only told."""
        devices = {v: seen[self.id_of(ctx, self.volumes[v])] for v in server.record.volume_ids}
        given = list(devices.values())
        if given != sorted(given, key=lambda d: (len(d), d)):
            raise StepFailed(
                f"server {server.record.name}: its volumes became {', '.join(given)}, not in the order "
                "of the source: undo, and look at the hypervisor's disk bus settings"
            )
        for volume_id, device in devices.items():
            was = self.volumes[volume_id].record.device
            if device != was:
                name = self.volumes[volume_id].record.name or volume_id
                ctx.event(f"volume {name} of {server.record.name} is {device} now; it was {was}")
        return devices

    def pass_gate(self, server: model.PlannedServer) -> Run:
        record = server.record

        def run(ctx: StepContext) -> Ready:
            site, server_id = self.site(ctx), ctx.result_of(server.step, Made).id
            line = self._wait_ready(ctx, site, record, server_id)
            for volume_id in record.volume_ids:
                volume = self.volumes[volume_id]
                if volume.record.delete_on_termination:
                    build.delete_with_server(site, server_id, self.id_of(ctx, volume))
            if record.locked:
                build.lock_server(site, server_id, record.locked_reason)
            ctx.progress(1, 1, "servers", "ready")
            return self._found_ready(ctx, server, server_id, line)

        return run

    def _wait_ready(
        self, ctx: StepContext, site: CloudSite, record: ServerRecord, server_id: str
    ) -> str | None:
        """The console line that was waited for.  One that was shut off is shut off again: Nova starts what it makes."""
        rule = self.plan.readiness

        def on_poll(missing: str) -> None:
            ctx.progress(0, 1, "servers", missing)

        if record.stopped:
            build.stop_server(site, server_id, timeout=rule.timeout, on_poll=on_poll, cancelled=ctx.cancelled)
            return None
        return wait_ready(site, record.name, server_id, rule, on_poll=on_poll, cancelled=ctx.cancelled).line

    def _found_ready(
        self, ctx: StepContext, server: model.PlannedServer, server_id: str, line: str | None
    ) -> Ready:
        ports = [ctx.result_of(self.ports[p].step, MadePort) for p in server.record.port_ids]
        return Ready(
            id=server_id,
            name=server.record.name,
            source_id=server.record.id,
            addresses=tuple(address for port in ports for address in port.addresses),
            devices=ctx.result_of(server.step, Booted).devices,
            console=line,
            mark=server.mark,
            ready_at=self.now(),
        )

    def id_of(
        self,
        ctx: StepContext,
        thing: model.Planned[Any] | model.PlannedNetwork | model.PlannedPort | model.PlannedVolume,
    ) -> str:
        """Id at the target: of what was there, or of what its step made."""
        use: str | None = getattr(thing, "use", None)
        return use if use is not None else ctx.result_of(thing.step, Made).id
