"""The steps of a move member by member: each is stopped, gets a final restore point of its own, is recovered from
that at the target and has to answer there; only then the next is stopped.  Meanwhile the others stay up.

What members share is made first (``stages.py``).  A member that does not come up is taken back (``retreat`` in
``turns.py``): what was made of it at the target is removed, it is started again where it was, and the move is paused.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from multisite.clouds.errors import Cancelled
from multisite.domain.caller import Caller
from multisite.domain.findings import Finding
from multisite.domain.model import Application
from multisite.jobs.model import Step, StepContext, StepFailed
from multisite.recovery.recover.hooks.plan import PROMPT
from multisite.recovery.recover.hooks.steps import answer_to
from multisite.recovery.recover.mapping import parse
from multisite.recovery.recover.model import PlannedServer, RecoverPlan, flavor_key
from multisite.recovery.recover.moves.dependencies import FINAL, MEMBERS, PLAN, SOURCE, MoveDependencies
from multisite.recovery.recover.moves.ending import recovery_steps
from multisite.recovery.recover.moves.model import MoveOrder, OneByOne, Taken, Turn
from multisite.recovery.recover.moves.scope import Scoped, scoped
from multisite.recovery.recover.moves.source import Look, changes
from multisite.recovery.recover.moves.source_steps import Batch, Source
from multisite.recovery.recover.moves.stages import stages
from multisite.recovery.recover.moves.turns import PREPARED, go_on_step, moved_step, names_of, suffix
from multisite.recovery.recover.steps import Ready

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Moved:
    """``seconds`` from the word to stop until it was ready at the target; None when it was off."""

    name: str
    seconds: float | None
    ready_at: datetime


@dataclass(frozen=True)
class TakenStep:
    taken: Taken


def member_steps(here: MoveDependencies, order: MoveOrder, moving: OneByOne) -> list[Step]:
    """As many as are known by the order."""
    return _Members(here, order, moving).steps()


class _Members:
    """``sources``, ``names``: of each turn; ``renamed``: of the recovery's steps, in attempts after the first."""

    def __init__(self, here: MoveDependencies, order: MoveOrder, moving: OneByOne) -> None:
        self._here, self._order, self._moving = here, order, moving
        self._plan = plan = current(RecoverPlan.from_json(moving.plan), moving.turns)
        self._servers = {server.record.id: server for server in plan.servers}
        self._labels = names_of(moving.order, order.application)
        self._sources = [self._source(turn) for turn in moving.turns]
        self._names = [self._run_names(number, turn) for number, turn in enumerate(moving.turns, 1)]
        oldest = min((run.created_at for turn in moving.turns if (run := turn.run)), default=None)
        steps, self._work = recovery_steps(here, order, plan, self._check_all, self._downtime, oldest)
        self._stages = stages(self._work, steps, moving.order)
        self._renamed = self._renames()

    def steps(self) -> list[Step]:
        look = Source(self._here, self._order, Batch(self._order.application, "")).steps()[0]
        first = [_waiting(step, (MEMBERS,)) for step in self._at(0)]
        made = [look, *first, self._prepared(first)]
        for number, turn in enumerate(self._moving.turns, 1):
            made += self._between(number)
            if turn.begun:
                made += self._at_source(number, turn)
            if turn.taken is not None:
                made += self._at_target(number, turn)
        if self._moving.ending:
            number = len(self._moving.turns)
            after = (moved_step(number, self._moving.turns[-1]),)
            ending = scoped(self._at(2 * number + 1), self._renamed)
            inside = {step.name for step in ending}
            made += [step if inside & set(step.needs) else _also(step, after) for step in ending]
        return made

    def _at(self, stage: int) -> list[Step]:
        return [step for step in self._work if self._stages[step.name] == stage]

    def _source(self, turn: Turn) -> Source:
        order = self._order
        look = partial(self._differences, turn.server_id)
        batch = Batch(only(order.application, turn.server_id), order.point_of(turn), part=True, look=look)
        return Source(self._here, order, batch)

    def _renames(self) -> dict[str, str]:
        """A second attempt makes everything anew: nothing that comes late of the first is taken for it."""
        found: dict[str, str] = {}
        for number, turn in enumerate(self._moving.turns, 1):
            if turn.attempt > 1:
                found |= {step.name: step.name + suffix(number, turn) for step in self._at(2 * number)}
        return found

    def _prepared(self, first: Iterable[Step]) -> Step:
        def run(_ctx: StepContext) -> object:
            return {"members": self._labels}

        title = f"What the members share is there: move {', '.join(self._labels)}, one by one"
        return Step(PREPARED, title, run, needs=(MEMBERS, *(step.name for step in first)))

    # Between two members

    def _between(self, number: int) -> list[Step]:
        """What follows of the member before: hooks of its group, the pause, the question.  Then the next may go."""
        before = self._before(number)
        made = scoped(self._at(2 * number - 1), self._renamed) if number > 1 else []
        needs = (*before, *(step.name for step in made))
        if number > 1 and self._moving.pause > 0:
            title = f"Wait {self._moving.pause:.0f} s before the next member"
            made.append(Step(f"pause@{number}", title, partial(self._pause, number), needs=needs))
            needs = (made[-1].name,)
        if number > 1 and self._moving.ask:
            title = f"Ask whether to move {self._labels[number - 1]}"
            made.append(Step(f"{PROMPT}go-on@{number}", title, partial(self._ask, number), needs=needs))
        return [*made, self._go_on(number, (*before, *(step.name for step in made)))]

    def _before(self, number: int) -> tuple[str, ...]:
        """The ends of what has to be done before a member's turn: also of the runs at the source."""
        if number == 1:
            return (PREPARED,)
        turn, names = self._moving.turns[number - 2], self._names[number - 2]
        return (moved_step(number - 1, turn), *(names[step.name] for step in self._run_of(turn)))

    def _pause(self, number: int, ctx: StepContext) -> object:
        before = ctx.result_of(moved_step(number - 1, self._moving.turns[number - 2]), Moved)
        while (left := self._moving.pause - (self._here.now() - before.ready_at).total_seconds()) > 0:
            if ctx.cancelled():
                raise Cancelled("", "the pause between two members", "stopped on request")
            ctx.progress(self._moving.pause - left, self._moving.pause, "s", "the members stay as they are")
            time.sleep(min(POLL_SECONDS, left))
        return {"waited": True}

    def _ask(self, number: int, ctx: StepContext) -> object:
        moved, next = ", ".join(self._labels[: number - 1]), self._labels[number - 1]
        question = f"move member by member: {moved} moved: move {next}?"
        return {"said": answer_to(self._here.recoveries, self._order.recovery_id, ctx.step, question)}

    def _go_on(self, number: int, needs: Sequence[str]) -> Step:
        """No member is stopped while one that was moved runs at the source, too."""

        def run(ctx: StepContext) -> object:
            for name, source in zip(self._names[: number - 1], self._sources, strict=False):
                source.check(Scoped(ctx, name))
            return {"next": self._labels[number - 1]}

        title = f"Go on with {self._labels[number - 1]}: {number} of {len(self._labels)}"
        return Step(go_on_step(number), title, run, needs=tuple(needs), site=self._order.application.site)

    # A member at the source

    def _run_of(self, turn: Turn) -> list[Step]:
        if (run := turn.run) is None:
            return []
        return self._here.methods[run.method].steps(run, self._here.protections.dependencies)

    def _run_names(self, number: int, turn: Turn) -> dict[str, str]:
        steps = [*self._sources[number - 1].steps(), *self._run_of(turn)]
        return {name: name + suffix(number, turn) for name in [*(step.name for step in steps), PLAN, SOURCE]}

    def _at_source(self, number: int, turn: Turn) -> list[Step]:
        """Stop it, and make its restore point; the last step reads that, once it is there."""
        source = self._sources[number - 1]
        look, *others = source.steps()
        made = [replace(look, needs=(go_on_step(number),)), *others]
        if turn.run is not None:
            made += self._run_of(turn)
            title = f"Plan how {self._labels[number - 1]} is restored in {self._order.target_site}"
            run = partial(self._take, source, turn)
            made.append(Step(PLAN, title, run, needs=("manifest", FINAL), site=self._order.target_site))
        return scoped(made, self._names[number - 1])

    def _differences(self, server_id: str, seen: Look) -> Iterable[Finding]:
        """What has changed about the member since the restore point that the plan was made from."""
        base = self._here.protections.dependencies.manifests.read(self._moving.base)
        servers = tuple(server for server in base.servers if server.id == server_id)
        return changes(seen, replace(base, servers=servers))

    def _take(self, source: Source, turn: Turn, ctx: StepContext) -> TakenStep:
        here, order = self._here, self._order
        source.check(ctx)
        manifest = here.protections.dependencies.manifests.read(order.point_of(turn))
        (record,) = manifest.servers
        planned = self._servers[turn.server_id].record
        if set(record.volume_ids) != set(planned.volume_ids) or flavor_key(record.flavor) != flavor_key(
            planned.flavor
        ):
            raise StepFailed(
                f"server {record.name} has another flavor or other volumes than when the move was planned: undo the "
                "move, and move again"
            )
        project = order.application.project_id
        rules = replace(parse(order.mapping), projects={project: order.target_project})
        asker = Caller("", order.requested_by, project, "", frozenset(), "")
        numbers = {volume.record.id: number for number, volume in enumerate(self._plan.volumes, 1)}
        volumes = here.decider.restores(asker, manifest, order.target_site, rules, numbers)
        return TakenStep(Taken(volumes, record.stopped))

    # A member at the target

    def _at_target(self, number: int, turn: Turn) -> list[Step]:
        """Its own steps of the recovery; it boots when its original was asked once more."""
        names, own = self._names[number - 1], self._at(2 * number)
        inside, server = {step.name for step in own}, self._servers[turn.server_id]
        off = (names[PLAN], *(names[stop] for stop in self._sources[number - 1].stops))
        made: list[Step] = []
        for step in own:
            placed = step if inside & set(step.needs) else _also(step, off)
            if step.name == server.step:
                made.append(self._asking(number, placed))
                placed = _also(placed, (names[SOURCE],))
            made.append(placed)
        made = scoped(made, self._renamed)
        return [*made, self._moved(number, turn, server, tuple(step.name for step in made))]

    def _asking(self, number: int, boot: Step) -> Step:
        names, source = self._names[number - 1], self._sources[number - 1]
        needs = (names[PLAN], *(names[stop] for stop in source.stops), *boot.needs)
        title = f"See that {self._labels[number - 1]} does not run in {self._plan.source_site}"

        def run(ctx: StepContext) -> object:
            source.check(Scoped(ctx, names))
            return {"runs": False}

        return Step(names[SOURCE], title, run, needs=tuple(dict.fromkeys(needs)), site=self._plan.source_site)

    def _moved(self, number: int, turn: Turn, server: PlannedServer, needs: tuple[str, ...]) -> Step:
        name = self._labels[number - 1]

        def run(ctx: StepContext) -> Moved:
            ready = Scoped(ctx, self._renamed).result_of(server.gate, Ready).ready_at
            stopped = self._sources[number - 1].stopped_at(Scoped(ctx, self._names[number - 1]))
            seconds = None if stopped is None else (ready - stopped).total_seconds()
            told = "" if seconds is None else f"; it was down for {seconds:.0f} s"
            ctx.event(
                f"server {name} was moved to {self._order.target_site}: {number} of {len(self._labels)}{told}"
            )
            return Moved(name, seconds, ready)

        title = f"{name} runs in {self._order.target_site}: {number} of {len(self._labels)}"
        return Step(moved_step(number, turn), title, run, needs=needs, site=self._order.target_site)

    # At the end

    def _check_all(self, ctx: StepContext) -> None:
        for names, source in zip(self._names, self._sources, strict=True):
            source.check(Scoped(ctx, names))

    def _downtime(self, ctx: StepContext, _last: datetime) -> float | None:
        """The longest that a member was down."""
        turns = enumerate(self._moving.turns, 1)
        moved = [ctx.result_of(moved_step(number, turn), Moved).seconds for number, turn in turns]
        return max((seconds for seconds in moved if seconds is not None), default=None)


def only(application: Application, server_id: str) -> Application:
    """The application with this member alone."""
    return replace(application, members=tuple(m for m in application.members if m.server_id == server_id))


def current(plan: RecoverPlan, turns: Iterable[Turn]) -> RecoverPlan:
    """The plan with the members that were stopped as their own restore points have them.

    No server waits for others as it boots: their turns are in order.
    """
    taken = {turn.server_id: turn.taken for turn in turns if turn.taken is not None}
    volumes = {volume.record.id: volume for its in taken.values() for volume in its.volumes}

    def as_taken(server: PlannedServer) -> PlannedServer:
        its = taken.get(server.record.id)
        stopped = server.record.stopped if its is None else its.stopped
        return replace(server, after=(), record=replace(server.record, stopped=stopped))

    return replace(
        plan,
        volumes=tuple(volumes.get(volume.record.id, volume) for volume in plan.volumes),
        servers=tuple(as_taken(server) for server in plan.servers),
    )


def _waiting(step: Step, needs: tuple[str, ...]) -> Step:
    return step if step.needs else replace(step, needs=needs)


def _also(step: Step, needs: tuple[str, ...]) -> Step:
    return replace(step, needs=(*step.needs, *needs))
