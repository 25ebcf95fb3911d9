"""Volume types that are at the target and not for the project: Cinder answers as if they were not there."""

from __future__ import annotations

import shlex

from multisite.recovery.recover.draft import Draft


def refuse_private(draft: Draft, source: str, name: str, subject: str) -> bool:
    """Whether the project has no access to the type of this name, which is an obstacle: no other stands for it.

    ``source``: the volume's type, which may be mapped to ``name``.
    """
    facts = draft.facts
    if name in {value for kind in facts.volume_types for value in (kind.id, kind.name)}:
        return False
    if not facts.knows("all_volume_types"):
        draft.note(
            f"volume type {name}",
            f"whether {facts.site} has a private one could not be asked: {facts.unknown['all_volume_types']}",
            "ask its operator, if volumes are to have it",
        )
        return False
    if name not in facts.all_volume_types:
        return False
    command = shlex.join(["openstack", "volume", "type", "set", "--project", facts.project_id, name])
    draft.problem(
        subject,
        f"the volume type {name!r} of {facts.site} is private and not for the project",
        f"let the project use it: {command}; or map it: {draft.option('volume_types', source, source)}",
    )
    return True
