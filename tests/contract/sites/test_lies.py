"""A simulation that lies about a site fails the checks: each lie here is found by the check that names it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds.errors import SiteError
from multisite_lab.sim import guest, quotas, site
from multisite_lab.sim.cinder import backups, groups, snapshots, volumes
from multisite_lab.sim.content import BackupStore, Content
from multisite_lab.sim.model import Backup, Sim, Snapshot, Volume
from multisite_lab.sim.neutron import ports, qos, remote_ports, routers, subnet_pools, trunks
from multisite_lab.sim.nova import images, quiesce, resources, servers
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, fault, page
from multisite_lab.sim.world import make_world
from tests.contract.sites import (
    checks_backups,
    checks_images,
    checks_ledger,
    checks_networks,
    checks_planes,
    checks_routers,
    checks_servers,
    checks_trunks,
    checks_volumes,
)
from tests.contract.sites.pair import Check, simulated

Lie = Callable[[pytest.MonkeyPatch], None]


def quota_is_403(patch: pytest.MonkeyPatch) -> None:
    def refuse(sim: Sim, ask: Ask, kind: str, **more: int) -> None:
        if quotas.over(sim, ask.account.project_id, **more):
            raise fault(403, f"Maximum number of {kind} allowed exceeded")

    patch.setattr(quotas, "refuse_cinder", refuse)


def quotas_are_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quotas, "over", lambda *_args, **_more: None)


def limits_of_one_thing_are_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quotas, "refuse_beyond", lambda *_: None)


def any_host_name_is_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(servers, "_hostname", lambda _ask, wanted, _id: wanted.get("hostname", ""))


def private_types_are_listed(patch: pytest.MonkeyPatch) -> None:
    def types(sim: Sim, ask: Ask) -> Answer:
        rows = [groups._type(row) for row in sim.state.volume_types.values()]
        return page(ask, "volume_types", rows, sim.settings.page)

    routes = tuple(
        replace(r, handle=types) if r.template == "/types" and r.method == "GET" else r for r in _VOLUME
    )
    _serve(patch, "volume", routes)


def members_see_compute_hosts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(resources, "_admins_only", lambda *_: None)


def _serve(patch: pytest.MonkeyPatch, service: str, routes: tuple[Route, ...]) -> None:
    services = tuple(replace(s, routes=routes) if s.name == service else s for s in site.SERVICES)
    patch.setattr(site, "SERVICES", services)


_VOLUME = next(service.routes for service in site.SERVICES if service.name == "volume")


def parent_is_of_the_same_snapshot(patch: pytest.MonkeyPatch) -> None:
    def choose(sim: Sim, volume: Volume, snapshot: Snapshot | None) -> Backup:
        own = [b for b in sim.state.backups.values() if snapshot and b.snapshot_id == snapshot.id]
        if not own:
            raise backups.invalid("No backups available to do an incremental backup.")
        return own[-1]

    patch.setattr(backups, "choose_parent", choose)


def parent_is_the_newest_backup(patch: pytest.MonkeyPatch) -> None:
    def choose(sim: Sim, volume: Volume, snapshot: Snapshot | None) -> Backup:
        own = [b for b in sim.state.backups.values() if b.volume_id == volume.id]
        if not own:
            raise backups.invalid("No backups available to do an incremental backup.")
        return max(own, key=lambda b: b.created_at)

    patch.setattr(backups, "choose_parent", choose)


def parents_may_be_deleted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(backups, "children", lambda _sim, _id: [])


def a_restore_takes_the_full_backup_only(patch: pytest.MonkeyPatch) -> None:
    honest = BackupStore.content_of

    def content_of(self: BackupStore, chain: list[str]) -> Content:
        return honest(self, chain[:1])

    patch.setattr(BackupStore, "content_of", content_of)


def a_missing_parent_is_no_trouble(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(backups, "chain", lambda _sim, backup_id: [backup_id])


def a_mac_address_may_be_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ports, "refuse_taken_mac", lambda *_: None)


def an_address_may_be_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ports, "refuse_taken_address", lambda *_: None)


def missing_is_a_bad_request(patch: pytest.MonkeyPatch) -> None:
    honest = volumes.find

    def find(sim: Sim, volume_id: str, ask: Ask) -> Volume:
        try:
            return honest(sim, volume_id, ask)
        except ApiError:
            raise fault(400, f"Volume {volume_id} could not be found.") from None

    patch.setattr(volumes, "find", find)


def volumes_in_use_are_like_others(patch: pytest.MonkeyPatch) -> None:
    honest = volumes.find

    def find(sim: Sim, volume_id: str, ask: Ask) -> Volume:
        return replace(honest(sim, volume_id, ask), status="available")

    patch.setattr(snapshots, "find_volume", find)


def a_freeze_has_no_limit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quiesce, "_limit", lambda *_: None)
    honest = time.monotonic
    patch.setattr(time, "monotonic", lambda: honest() * 20)  # do not wait for it for long


def a_frozen_guest_goes_on_writing(patch: pytest.MonkeyPatch) -> None:
    def park(sim: Sim, server: Any) -> None:
        seq = guest.record(sim, server.guest)
        server.console.append(guest._line("FREEZE", server.guest, seq))

    patch.setattr(guest, "park", park)


def a_router_has_no_interfaces(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(routers, "interfaces", lambda *_: [])


def routes_need_no_interface(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(routers, "_refuse_needed", lambda *_: None)


def a_pool_gives_a_block_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(subnet_pools, "block_for", lambda *_: ip_network("10.80.0.0/24"))


def a_qos_policy_may_be_unknown(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(qos, "refuse_unknown", lambda *_: None)


def a_qos_policy_takes_any_rules(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(qos, "refuse_conflict", lambda *_: None)


def a_port_has_a_new_field(patch: pytest.MonkeyPatch) -> None:
    shown = remote_ports.shown
    patch.setattr(remote_ports, "shown", lambda sim, ask, row: shown(sim, ask, row) | {"brand_new": 1})


DATA = "is not record|of one moment"


def a_port_of_a_trunk_may_be_deleted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(trunks, "refuse_deletion", lambda _sim, _port: None)


def an_image_freezes_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(images, "_freezes", lambda _server: False)


def an_image_may_go_beyond_the_quota(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(images.quotas, "over", lambda *_args, **_more: None)


LIES: tuple[tuple[Lie, Check, str], ...] = (
    (quota_is_403, checks_volumes.a_used_up_volume_quota_is_413, "403, not 413"),
    (an_image_freezes_nobody, checks_images.an_image_of_volumes_names_a_snapshot_of_each, "was frozen once"),
    (
        an_image_may_go_beyond_the_quota,
        checks_images.snapshots_beyond_the_quota_are_refused_before_any_is_made,
        "DID NOT RAISE",
    ),
    (quotas_are_ignored, checks_volumes.a_used_up_volume_quota_is_413, "202, not 413"),
    (quotas_are_ignored, checks_servers.a_used_up_compute_quota_is_403, "200, not 403"),
    (quotas_are_ignored, checks_networks.a_used_up_network_quota_is_409, "201, not 409"),
    (
        parent_is_of_the_same_snapshot,
        checks_backups.the_parent_is_the_newest_data_before_the_snapshot,
        "No backups available",
    ),
    (
        parent_is_the_newest_backup,
        checks_backups.the_parent_is_the_newest_data_before_the_snapshot,
        "the parent is",
    ),
    (parents_may_be_deleted, checks_backups.a_parent_is_not_deleted_before_its_child, "202, not 400"),
    (
        a_restore_takes_the_full_backup_only,
        checks_backups.a_chain_brings_the_data_of_its_last_moment,
        DATA,
    ),
    (
        a_frozen_guest_goes_on_writing,
        checks_backups.a_chain_brings_the_data_of_its_last_moment,
        DATA,
    ),
    (
        a_missing_parent_is_no_trouble,
        checks_backups.an_incremental_without_its_parent_is_not_restored,
        "DID NOT RAISE",
    ),
    (a_mac_address_may_be_twice, checks_networks.a_mac_address_is_in_a_network_once, "201, not 409"),
    (an_address_may_be_twice, checks_networks.an_address_is_in_a_subnet_once, "201, not 409"),
    (
        a_qos_policy_takes_any_rules,
        checks_networks.a_qos_policy_has_a_rule_of_a_type_and_direction_once,
        "201, not 409",
    ),
    (
        a_qos_policy_may_be_unknown,
        checks_networks.a_qos_policy_is_found_by_id_and_kept_while_it_is_used,
        "200, not 404",
    ),
    (
        routes_need_no_interface,
        checks_routers.routes_are_added_beside_others_and_keep_their_interface,
        "DID NOT RAISE",
    ),
    (
        a_port_of_a_trunk_may_be_deleted,
        checks_trunks.a_trunk_is_shown_at_its_parent_and_its_subports,
        "204, not 409",
    ),
    (
        a_router_has_no_interfaces,
        checks_planes.a_router_is_made_once_and_removed_by_its_token,
        "409, not 400",
    ),
    (
        a_pool_gives_a_block_twice,
        checks_planes.a_default_pool_gives_addresses,
        "the same block was given twice",
    ),
    (missing_is_a_bad_request, checks_volumes.a_volume_of_nonsense_is_refused, "400, not 404"),
    (
        volumes_in_use_are_like_others,
        checks_volumes.a_volume_in_use_is_snapshotted_by_force_only,
        "202, not 400",
    ),
    (
        a_port_has_a_new_field,
        checks_ledger.every_field_of_a_port_and_its_network_has_a_verdict,
        "no verdict on brand_new of a port",
    ),
    (
        limits_of_one_thing_are_ignored,
        checks_servers.limits_of_one_thing_are_shown_without_what_is_used,
        "201, not 403",
    ),
    (
        any_host_name_is_taken,
        checks_servers.host_names_are_of_one_label_and_from_2_94_on_of_several,
        "does not say",
    ),
    (
        private_types_are_listed,
        checks_volumes.a_private_volume_type_is_for_the_projects_it_names,
        "a private type is listed to all",
    ),
    (members_see_compute_hosts, checks_servers.compute_hosts_are_listed_with_their_zones, "200, not 403"),
    (a_freeze_has_no_limit, checks_servers.a_freeze_ends_by_itself_and_says_so, "frozen beyond its limit"),
)


@pytest.mark.parametrize(
    ("lie", "check", "words"), LIES, ids=[f"{lie.__name__}-{check.__name__}" for lie, check, _ in LIES]
)
def test_a_lie_is_found_out(
    lie: Lie, check: Check, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by any failure: by the very assertion that is about it."""
    failures = (AssertionError, SiteError, pytest.fail.Exception)
    with make_world() as world:
        world.write_clouds(tmp_path / "clouds.yaml")
        pair = simulated(tmp_path)
        lie(monkeypatch)
        found = ""
        with suppress(*failures), pair.checking():  # tidying up may fail after a lie
            try:
                check(pair)
            except failures as failure:
                found = str(failure)
    assert re.search(words, found), f"{check.__name__} says of {lie.__name__}: {found or 'nothing'}"
