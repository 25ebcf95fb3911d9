"""What has changed among an application's members, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from multisite.domain.model import Member


def changes(tag: str, before: Sequence[Member], now: Sequence[Member]) -> Iterator[str]:
    """``tag``: by which the members are chosen."""
    known, found = {m.server_id: m for m in before}, {m.server_id: m for m in now}
    for id, member in found.items():
        if id not in known:
            yield f"server {member.server_name} ({id}) is a member from now on: it has {tag}"
    for id, member in known.items():
        if id not in found:
            yield f"server {member.server_name} ({id}) is no member any more: it is gone, or no longer has {tag}"
    stayed = [(known[id], member) for id, member in found.items() if id in known]
    for was, member in stayed:
        if was.server_name != member.server_name:
            yield f"server {was.server_name} ({member.server_id}) is called {member.server_name} now"
        if was.quiesce != member.quiesce:
            yield f"server {member.server_name} is {'' if member.quiesce else 'not '}frozen from now on"
        if was.role != member.role:
            yield f"server {member.server_name} is {member.role} now; it was {was.role}"
    order = [member.server_name for _, member in stayed]
    earlier = [member.server_name for was, member in sorted(stayed, key=lambda pair: pair[0].order)]
    if order != earlier:
        yield f"the boot order is {', '.join(order)} now; it was {', '.join(earlier)}"
