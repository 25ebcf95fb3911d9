"""The bugs: each breaks one promise of the service, in code that is stable.

| class | what is promised |
|---|---|
| freeze | servers stand still together, and go on, last first |
| snapshot, backup | nothing of a run is left; nothing is made twice |
| recovery, undo | what comes back is what was recorded; what could not be done is said; what was made goes again |
| network, address | silence is not emptiness; others' things are left alone; one holder |
| job, fence | a step that is done is not done again; whoever lost the right does nothing |
| call | what may have taken effect is not repeated, nor taken for done; a list is read to its end |
| rights, bounds, identity, store, audit | as the documentation of each says |
"""

from __future__ import annotations

from tests.mutants.planted import Mutant

_METHOD = "recovery/methods/consistent_backup"
_UNIT = "tests/unit"
_CAPTURE = f"{_UNIT}/{_METHOD}/test_capture.py"
_RUN = f"{_UNIT}/{_METHOD}/test_job.py"
_FLOW = "tests/sim/test_whole_flow.py"
_REMOVED = f"{_UNIT}/recovery/recover/test_undo.py"
_JOBS = f"{_UNIT}/jobs"
_CLOUDS = f"{_UNIT}/clouds"

MUTANTS: tuple[Mutant, ...] = (
    # Protection
    Mutant(
        "thaw-skipped", "freeze", f"{_METHOD}/capture.py",
        "            trouble.extend(window.thaw())\n", "            pass\n",
        f"{_CAPTURE} -k in_order_and_thawing",
    ),
    Mutant(
        "thaw-reversed", "freeze", f"{_METHOD}/window.py",
        "stops = self._stops[::-1]", "stops = self._stops[:]",
        f"{_FLOW}::test_lost_site_is_recovered_with_the_data_of_the_incremental",
    ),
    Mutant(
        "freeze-noted-too-late", "freeze", f"{_METHOD}/window.py",
        "        self._stops.append(stop)\n        try:\n"
        "            stop.frozen = quiesce.freeze(self._site, server.id, self._timeout, within)\n",
        "        try:\n            stop.frozen = quiesce.freeze(self._site, server.id, self._timeout, within)\n"
        "            self._stops.append(stop)\n",
        f"{_CAPTURE} -k answer_was_lost",
    ),
    Mutant(
        "thawed-by-others-believed", "freeze", f"{_METHOD}/capture.py",
        "if trouble := trouble or window.doubts():", "if trouble:",
        f"{_CAPTURE} -k thawed_by_its_time_limit",
    ),
    Mutant(
        "interrupted-freeze-goes-on", "freeze", f"{_METHOD}/capture.py",
        "    if ctx.interrupted:\n", "    if False:\n",
        f"{_CAPTURE} -k interrupted_capture",
    ),
    Mutant(
        "freeze-order-of-names", "freeze", f"{_METHOD}/plan.py",
        "    members = sorted(servers, key=lambda s: (s.order, s.name))\n    freeze, notes",
        "    members = sorted(servers, key=lambda s: s.name)\n    freeze, notes",
        f"{_FLOW}::test_lost_site_is_recovered_with_the_data_of_the_incremental",
    ),
    Mutant(
        "snapshot-left", "snapshot", f"{_METHOD}/clean.py",
        "*remove_snapshots(site, tokens, taken)", "*[]",
        f"{_FLOW}::test_lost_site_is_recovered_with_the_data_of_the_incremental",
    ),
    Mutant(
        "lost-list-keeps-snapshots", "snapshot", "recovery/methods/cinder_backups/snapshots.py",
        "sorted(set(known) - listed)", "sorted(set())",
        f"{_RUN} -k list_that_lost_the_snapshots",
    ),
    Mutant(
        "backup-made-twice", "backup", "clouds/volumes.py",
        '"backup", token, fields, within=', '"backup", token, fields, fresh=True, within=',
        f"{_CLOUDS}/test_volumes.py -k not_made_twice",
    ),
    Mutant(
        "broken-parent-built-on", "backup", "recovery/methods/cinder_backups/chain.py",
        'if there.get(link.id) != "available":', "if link.id not in there:",
        f"{_UNIT}/{_METHOD}/test_plan.py -k why_a_backup_is_full",
    ),
    # Recovery
    Mutant(
        "rule-errors-swallowed", "recovery", "recovery/recover/steps.py",
        "            networks.set_rules(self.site(ctx), ids[group.record.id], group.record, ids)\n",
        "            with __import__('contextlib').suppress(Exception):\n"
        "                networks.set_rules(self.site(ctx), ids[group.record.id], group.record, ids)\n",
        f"{_FLOW} -k what_is_refused_stops_a_recovery",
    ),
    Mutant(
        "tags-dropped", "recovery", "recovery/recover/steps.py",
        "            tags=record.tags,\n", "",
        f"{_FLOW}::test_lost_site_is_recovered_with_the_data_of_the_incremental",
    ),
    Mutant(
        "address-pairs-not-recorded", "recovery", "clouds/facts/network.py",
        '        allowed_address_pairs=tuple(dict(pair) for pair in row.get("allowed_address_pairs", ())),\n', "",
        f"{_FLOW}::test_lost_site_is_recovered_with_the_data_of_the_incremental",
    ),
    Mutant(
        "boots-without-waiting", "recovery", "recovery/recover/server_plan.py",
        "after = () if draft.rules.parallel_boot else", "after = () if True else",
        f"{_UNIT}/recovery/recover/test_plan.py -k one_after_the_other",
    ),
    Mutant(
        "undo-skips-a-step", "undo", "recovery/recover/job.py",
        'steps.ensure(build.ensure_server_group, group.record), steps.remove("server_group")',
        "steps.ensure(build.ensure_server_group, group.record), lambda *_: None",
        f"{_REMOVED} -k leaves_nothing",
    ),
    Mutant(
        "late-effect-not-undone", "undo", "clouds/resources/lifecycle.py",
        "for again in (False, True) if late else (False,):", "for again in (False,):",
        f"{_CLOUDS}/test_resources.py -k takes_effect_late",
    ),
    # Networks and addresses
    Mutant(
        "silence-taken-for-gone", "network", "networks/stretch/decide.py",
        "if real_id not in there.real and (of_site, real_id) not in known.gone:", "if False:",
        f"{_UNIT}/networks/test_decide.py",
    ),
    Mutant(
        "others-ports-taken-for-ours", "network", "networks/stretch/decide.py",
        "if not port.ours or port.of_site != of_site:", "if port.of_site != of_site:",
        f"{_UNIT}/networks/test_decide.py",
    ),
    Mutant(
        "adopted-network-deleted", "network", "networks/stretch/job.py",
        "if not (m.adopted or params.keep)", "if not params.keep",
        "tests/sim/test_stretch.py -k adopted_network_stays",
    ),
    Mutant(
        "unknown-plane-in-sync", "network", "domain/plane_drift.py",
        "        return [unknown(site, state.why)]\n", "        return []\n",
        f"{_UNIT}/networks/test_plane_judgment.py",
    ),
    Mutant(
        "swap-without-compare", "address", "clouds/addresses.py",
        'headers = {"If-Match": f"revision_number={revision}"}', "headers: dict[str, str] = {}",
        "tests/sim/test_addresses.py -k arrives_after_its_undo",
    ),
    Mutant(
        "older-epoch-left-alone", "address", "domain/moving_address.py",
        "seen.mark.bound and seen.mark.epoch < address.epoch", "False",
        f"{_UNIT}/networks/test_judgment.py -k verdicts",
    ),
    # Jobs and the fence
    Mutant(
        "fence-not-asked", "fence", "clouds/session.py",
        "        fence.check()\n", "",
        f"{_CLOUDS}/test_fence.py",
    ),
    Mutant(
        "threads-outside-the-fence", "fence", "domain/fence.py",
        "super().submit(copy_context().run, fn, *args, **kwargs)", "super().submit(fn, *args, **kwargs)",
        f"{_CLOUDS}/test_ask.py",
    ),
    Mutant(
        "older-epoch-writes", "fence", "jobs/records.py",
        "            if row.epoch != claim.epoch:\n", "            if False:\n",
        f"{_JOBS}/test_restart.py -k stale_claim",
    ),
    Mutant(
        "lost-lease-lengthened", "fence", "periodic/lease.py",
        "late = begun - self._taken > self._seconds - MARGIN", "late = False",
        f"{_UNIT}/periodic/test_lease.py",
    ),
    Mutant(
        "done-step-runs-again", "job", "jobs/records.py",
        "if step.state not in (StepState.WAITING, StepState.RUNNING):",
        "if step.state not in (StepState.WAITING, StepState.RUNNING, StepState.DONE):",
        f"{_JOBS}/test_failures.py -k resume_does_the_rest",
    ),
    Mutant(
        "undo-in-any-order", "job", "jobs/runner.py",
        "self._walk(self._steps[::-1], graph.dependants(self._steps), undoing",
        "self._walk(self._steps[::-1], dict.fromkeys(graph.dependants(self._steps), ()), undoing",
        f"{_JOBS}/test_failures.py -k last_first",
    ),
    Mutant(
        "left-not-looked-for", "job", "jobs/runner.py",
        "left = await self._worker.work(self._left)", "left = ()",
        f"{_JOBS}/test_left.py",
    ),
    # Calls
    Mutant(
        "unknown-repeated", "call", "clouds/classification.py",
        "if never_sent or harmless or idempotent:", "if True:",
        f"{_CLOUDS}/test_call.py -k lost_connection_after_sending",
    ),
    Mutant(
        "unknown-taken-for-done", "call", "clouds/resources/lifecycle.py",
        "        if (found := known()) is None:\n            raise\n        return found\n",
        "        return known()  # type: ignore[return-value]\n",
        f"{_CLOUDS}/test_resources.py",
    ),
    Mutant(
        "first-page-only", "call", "clouds/call.py",
        "        if following is None:\n", "        if True:\n",
        f"{_CLOUDS}/test_call.py -k pages_are_followed",
    ),
    # Rights and bounds
    Mutant(
        "right-of-a-job-not-asked", "rights", "api/jobs.py",
        '    policy().check(jobs().rule_of(job.kind) or "admin", job.project_id or "")\n', "    return\n",
        f"{_UNIT}/api/test_policy.py -k a_job_is_for_who_may_start_it",
    ),
    Mutant(
        "owner-not-asked", "rights", "api/policy.py",
        "if not caller.is_admin and project_id != caller.project_id:", "if False:",
        f"{_UNIT}/api/test_policy.py -k does_not_exist",
    ),
    Mutant(
        "anothers-servers-accepted", "rights", "applications/service.py",
        'if row["tenant_id"] != project:', "if False:",
        f"{_UNIT}/applications/test_application_service.py",
    ),
    Mutant(
        "own-host-probed", "bounds", "networks/probe/target.py",
        "        or inner.is_loopback\n", "",
        f"{_UNIT}/networks/test_probe_target.py",
    ),
    # Identity
    Mutant(
        "promoted-past-a-silent-site", "identity", "identity/keys/fernet/gate.py",
        'found.append(Refusal(name, f"unknown: {answer}"))', "continue",
        f"{_UNIT}/identity/keys/test_plan.py -k the_gate",
    ),
    Mutant(
        "unknown-replica-fresh", "identity", "identity/watchdog/judge.py",
        "lag = 0.0 if since is None else now - since", "lag = 0.0",
        f"{_UNIT}/identity/watchdog/test_judge.py",
    ),
    # Store and audit
    Mutant(
        "anothers-row-read", "store", "store/repository.py",
        'if project_id is not None and getattr(row, "project_id", None) != project_id:', "if False:",
        f"{_UNIT}/store/test_repositories.py -k as_good_as_not_there",
    ),
    Mutant(
        "change-before-its-record", "audit", "clouds/audited.py",
        "        trail.begin(intent)\n        begun = time.monotonic()\n        try:\n"
        "            answer = super().request(url, method, *args, **kwargs)\n",
        "        begun = time.monotonic()\n        try:\n"
        "            answer = super().request(url, method, *args, **kwargs)\n            trail.begin(intent)\n",
        f"{_CLOUDS}/test_audited.py -k cannot_be_recorded",
    ),
)  # fmt: skip
