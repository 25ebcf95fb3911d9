"""The hooks of a recovery plan as they are given: checked when they are kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from multisite.domain.errors import Invalid
from multisite.domain.recovery_plan import Hook
from multisite.domain.validation import validated
from multisite.recovery.plans.outside import COMMAND, origin

MOST_HOOKS = 50
OF_KIND = {
    "http": ("url", "method", "body", "expect", "retries"),
    "command": ("command",),
    "prompt": ("question",),
    "openstack": ("action", "members", "metadata", "tags"),
}
"""The fields that only hooks of a kind have; the first one is needed."""
WORDS = ("recovery", "application", "restore_point", "source_site", "target_site", "key")
"""What texts of a body may name in braces, besides ``{servers}``, which stands alone for their list."""
_BRACES = re.compile(r"\{([^{}]*)\}")


def parse_hooks(given: object, groups: Collection[str]) -> tuple[Hook, ...]:
    """Raises Invalid naming the field; ``groups``: the names of the plan's groups."""
    if not isinstance(given, list | tuple) or len(given) > MOST_HOOKS:
        raise Invalid(f"hooks: must be a list of at most {MOST_HOOKS}")
    found = tuple(_hook(one, f"hooks.{n}", groups) for n, one in enumerate(given))
    twice = [name for name, count in Counter(hook.name for hook in found).items() if count > 1]
    if twice:
        raise Invalid(f"hooks: name: {twice[0]!r} is the name of two hooks: give each its own")
    return found


def _hook(given: object, where: str, groups: Collection[str]) -> Hook:
    hook = validated(Hook, given, where, "field of a hook")
    said = set(given) if isinstance(given, Mapping) else set()
    for kind, names in OF_KIND.items():
        for name in said & set(names):
            if kind != hook.kind and getattr(hook, name) != getattr(Hook("x", hook.kind, hook.when), name):
                raise Invalid(
                    f"{where}.{name}: only a hook of kind {kind} has it, this one is of kind {hook.kind}"
                )
    needed = OF_KIND[hook.kind][0]
    if not getattr(hook, needed):
        raise Invalid(f"{where}.{needed}: a hook of kind {hook.kind} needs it")
    if hook.when.endswith("-group") != (hook.group is not None):
        raise Invalid(f"{where}.group: {hook.when} {'needs one' if hook.group is None else 'has none'}")
    if hook.group is not None and hook.group not in groups:
        raise Invalid(
            f"{where}.group: the plan has no group {hook.group!r}; it has: {', '.join(groups) or 'none'}"
        )
    _check_kind(hook, where)
    return hook


def _check_kind(hook: Hook, where: str) -> None:
    if hook.kind == "prompt" and hook.when == "before-undo":
        raise Invalid(f"{where}.when: who undoes a recovery is not asked: use another point")
    if hook.kind == "prompt" and hook.in_drills:
        raise Invalid(f"{where}.in_drills: nobody answers in a drill: leave it out")
    if hook.command is not None and not COMMAND.fullmatch(hook.command):
        raise Invalid(
            f"{where}.command: must be the name of a file of the administrator's folder, not {hook.command!r}"
        )
    if hook.kind == "openstack":
        _check_action(hook, where)
    if hook.url is not None:
        origin(hook.url, f"{where}.url")
    for text in _texts(hook.body):
        for word in _BRACES.findall(text):
            if word not in WORDS and text != "{servers}":
                raise Invalid(
                    f"{where}.body: {{{word}}} is not known; there are: {', '.join(WORDS)}, and servers alone in a text"
                )


def _check_action(hook: Hook, where: str) -> None:
    """That it has what it needs, at a point at which there are members; no mark of Multisite's own is set."""
    if hook.when in ("before-recovery", "before-undo"):
        raise Invalid(
            f"{where}.when: {hook.when}: no member is ready then, or all are removed: use another point"
        )
    if hook.members is not None and not hook.members:
        raise Invalid(f"{where}.members: name at least one, or leave it out for all that are ready")
    for field, action in (("metadata", "server-metadata"), ("tags", "server-tags")):
        given = getattr(hook, field)
        if bool(given) != (hook.action == action):
            raise Invalid(f"{where}.{field}: {hook.action} {'has none' if given else 'needs some'}")
        for word in given:
            if word.lower().startswith("multisite"):
                raise Invalid(f"{where}.{field}: {word!r} is Multisite's own: use another name")


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    return [text for inner in value for text in _texts(inner)] if isinstance(value, list | tuple) else []


def filled(value: Any, told: Mapping[str, Any]) -> Any:
    """A body with what it names: ``told`` has a value for each of ``WORDS``, and ``servers``."""
    if value == "{servers}":
        return told["servers"]
    if isinstance(value, str):
        return _BRACES.sub(lambda found: str(told.get(found.group(1), found.group(0))), value)
    if isinstance(value, Mapping):
        return {name: filled(inner, told) for name, inner in value.items()}
    return [filled(inner, told) for inner in value] if isinstance(value, list | tuple) else value
