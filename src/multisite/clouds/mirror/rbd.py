"""Ceph's rbd-mirror, by the ``rbd`` command with a configuration file and a keyring per site.

The command and not its Python module: that one is built for the distribution's Python and cannot be stopped when it
hangs, which it does while monitors are gone.  A command is killed when its time is over.
"""

from __future__ import annotations

import errno
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from multisite.clouds.errors import SiteError, UnknownOutcome, Unreachable, Unsupported
from multisite.clouds.mirror.answers import image_of
from multisite.clouds.mirror.backend import MirrorImage, MirrorMode, StorageInfo, StorageRefused
from multisite.clouds.mirror.command import Done, run
from multisite.domain import fence, work
from multisite.domain.audit import AuditKind, AuditOutcome, Ending, Intent, Trail

T = TypeVar("T")

PROGRAM = "rbd"
READ_SECONDS, CHANGE_SECONDS = 60.0, 300.0
ROLL_BACK_SECONDS_PER_GIB = 120.0
NOTE = "multisite_note"
TOKEN = "multisite_token"  # noqa: S105  # the key of the image's metadata that has a step's token
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# The connection itself: nothing was asked for.
_NOT_CONNECTED = (
    "couldn't connect to the cluster",
    "error connecting to the cluster",
    "unable to open config",
)


@dataclass(frozen=True)
class RbdSettings:
    """How one site's Ceph is reached: paths of its ceph.conf and keyring (None: what the configuration says), the
    Ceph user without ``client.``, the pool that Cinder's volumes are in.  ``host``: Cinder's name of it.
    """

    conf: str
    host: str = ""
    pool: str = "volumes"
    user: str | None = None
    keyring: str | None = None


class RbdMirror:
    """See ``backend.MirrorBackend``.  Changes are recorded in ``trail``."""

    def __init__(self, site: str, settings: RbdSettings, trail: Trail | None = None) -> None:
        self.site, self.host = site, settings.host
        self._settings = settings
        self._trail = trail

    def info(self) -> StorageInfo:
        pool = self._settings.pool
        what = f"read the mirroring of pool {pool}"
        peers = self._read(what, "mirror", "pool", "info", pool)
        fsid = self._line(what, "ceph", "fsid")
        names = (str(peer.get("site_name") or peer.get("mirror_uuid")) for peer in peers.get("peers") or ())
        return StorageInfo(fsid, pool, tuple(names))

    def image(self, name: str) -> MirrorImage | None:
        what = f"read image {name}"
        info = self._read_or_none(what, "info", self._spec(name))
        if info is None:
            return None
        if not _is_mirrored(info):
            return _understood(self.site, what, lambda: image_of(info))
        snapshots = self._read_or_none(what, "snap", "ls", "--all", self._spec(name))
        try:
            status = self._read_or_none(what, "mirror", "image", "status", self._spec(name))
        except StorageRefused:
            # The daemon made it or took it away between the reads: there is no status then (MirrorImage.cc, EINVAL).
            info = self._read_or_none(what, "info", self._spec(name))
            if info is not None and _is_mirrored(info):
                raise
            return None if info is None else _understood(self.site, what, lambda: image_of(info))
        return _understood(self.site, what, lambda: image_of(info, snapshots or (), status))

    def names(self) -> Mapping[str, str]:
        what = f"list the mirrored images of pool {self._settings.pool}"
        answer = self._read(what, "mirror", "pool", "status", self._settings.pool, "--verbose")
        rows = answer.get("images") or ()
        return _understood(self.site, what, lambda: {str(r["global_id"]): str(r["name"]) for r in rows})

    def enable(self, name: str, mode: MirrorMode, token: str) -> None:
        known = self.image(name)
        if known is not None and known.mode is mode:
            return
        if known is not None and known.mode is not None:
            raise StorageRefused(
                self.site,
                f"mirror image {name}",
                f"it is mirrored in mode {known.mode}, not {mode}: choose that mode, or stop its mirroring there: "
                f"rbd mirror image disable {self._spec(name)}",
            )
        spec = self._spec(name)
        self._change("enable", name, "image-meta", "set", spec, TOKEN, token)
        self._change("enable", name, "mirror", "image", "enable", spec, str(mode))

    def enabled_by(self, name: str) -> str:
        return self._metadata(name).get(TOKEN, "")

    def note(self, name: str) -> str:
        return self._metadata(name).get(NOTE, "")

    def set_note(self, name: str, text: str) -> None:
        self._change("note", name, "image-meta", "set", self._spec(name), NOTE, text)

    def disable(self, name: str) -> None:
        known = self.image(name)
        if known is None:
            return
        if known.mode is not None:
            self._change("disable", name, "mirror", "image", "disable", self._spec(name))
        if self.enabled_by(name):
            self._change("disable", name, "image-meta", "remove", self._spec(name), TOKEN)

    def send(self, name: str) -> int:
        said = self._change("snapshot", name, "mirror", "image", "snapshot", self._spec(name))
        found = re.search(r"Snapshot ID: (\d+)", said)
        if found is None:
            raise StorageRefused(self.site, f"take a mirror snapshot of {name}", f"it answered {said!r}")
        return int(found[1])

    def promote(self, name: str, *, force: bool) -> None:
        known = self._known(name)
        if not known.primary:
            options = ("--force",) if force else ()
            seconds = _roll_back_seconds(known)
            self._change(
                "promote", name, "mirror", "image", "promote", *options, self._spec(name), seconds=seconds
            )

    def demote(self, name: str) -> None:
        if self._known(name).primary:
            self._change("demote", name, "mirror", "image", "demote", self._spec(name))

    def roll_back(self, name: str, snapshot: str) -> None:
        seconds = _roll_back_seconds(self._known(name))
        options = ("--no-progress", f"{self._spec(name)}@{_checked(snapshot)}")
        self._change("roll back", name, "snap", "rollback", *options, seconds=seconds)

    def rename(self, name: str, new: str) -> None:
        self._change("rename", name, "rename", self._spec(name), self._spec(new))

    def resync(self, name: str) -> None:
        if self._known(name).primary:
            raise StorageRefused(
                self.site,
                f"resync image {name}",
                "it is primary: what only this site has would be lost; demote it first",
            )
        self._change("resync", name, "mirror", "image", "resync", self._spec(name))

    def _metadata(self, name: str) -> Mapping[str, str]:
        what = f"read the metadata of image {name}"
        found = self._read_or_none(what, "image-meta", "list", self._spec(name)) or {}
        return _understood(self.site, what, lambda: {str(k): str(v) for k, v in found.items()})

    def _known(self, name: str) -> MirrorImage:
        found = self.image(name)
        if found is None or found.mode is None:
            why = "there is no such image" if found is None else "it is not mirrored"
            raise StorageRefused(self.site, f"find the mirrored image {name}", why)
        return found

    def _spec(self, name: str) -> str:
        return f"{self._settings.pool}/{_checked(name)}"

    def _read(self, what: str, *arguments: str) -> dict[str, Any]:
        found = self._read_or_none(what, *arguments)
        if not isinstance(found, dict):
            raise StorageRefused(
                self.site, what, f"there is no pool {self._settings.pool}, or it is not mirrored"
            )
        return found

    def _read_or_none(self, what: str, *arguments: str) -> Any:
        """The answer; None for what is not there."""
        done = self._run(what, (*arguments, "--format", "json"), READ_SECONDS, changes=False)
        if done.status == errno.ENOENT and not _not_connected(done):
            return None
        self._check(what, done, changes=False)
        return _understood(self.site, what, lambda: json.loads(done.out or "null"))

    def _line(self, what: str, program: str, *arguments: str) -> str:
        done = self._run(what, arguments, READ_SECONDS, changes=False, program=program)
        self._check(what, done, changes=False)
        return done.out.strip()

    def _change(self, action: str, name: str, *arguments: str, seconds: float = CHANGE_SECONDS) -> str:
        """Fenced, and recorded before it is made and after."""
        what = f"{action} image {name}"
        fence.check()
        if self._trail is None:
            done = self._run(what, arguments, seconds, changes=True)
            self._check(what, done, changes=True)
            return done.out
        intent, begun = self._intent(action, name), time.monotonic()
        self._trail.begin(intent)
        outcome = AuditOutcome.UNKNOWN
        try:
            done = self._run(what, arguments, seconds, changes=True)
            self._check(what, done, changes=True)
            outcome = AuditOutcome.DONE
            return done.out
        except SiteError as error:
            outcome = _outcome(error)
            raise
        finally:
            self._trail.finish(Ending(intent.key, outcome, seconds=round(time.monotonic() - begun, 4)))

    def _intent(self, action: str, name: str) -> Intent:
        doing = work.current()
        return Intent(
            kind=AuditKind.CLOUD, user=doing.user, project_id=doing.project_id, request_id=doing.request_id,
            job_id=doing.job_id, subject=doing.subject, step=doing.step, attempt=doing.attempt,
            undoing=doing.undoing, site=self.site, service="ceph", method="POST", path="/images/{id}/mirror",
            action=action, resource_id=name,
        )  # fmt: skip

    def _run(
        self, what: str, arguments: Sequence[str], seconds: float, *, changes: bool, program: str = ""
    ) -> Done:
        program, settings = program or PROGRAM, self._settings
        user = ("--id", settings.user) if settings.user else ()
        keyring = ("--keyring", settings.keyring) if settings.keyring else ()
        limits = ("--client_mount_timeout", "20", "--rados_mon_op_timeout", "20")
        try:
            done = run((program, "-c", settings.conf, *user, *keyring, *limits, *arguments), seconds)
        except OSError as error:
            said = f"{program}: {error.strerror}: install ceph-common where Multisite runs"
            raise Unsupported(self.site, what, said) from error
        if done.status is None:
            said = f"{program} had not ended after {seconds:.0f} s and was killed"
            raise (UnknownOutcome if changes else Unreachable)(self.site, what, said)
        return done

    def _check(self, what: str, done: Done, *, changes: bool) -> None:
        if not done.status:
            return
        said = _last_words(done)
        if _not_connected(done):
            raise Unreachable(self.site, what, f"{self._settings.conf}: {said}")
        if done.status in (errno.ETIMEDOUT, errno.ESHUTDOWN) or done.status < 0:
            raise (UnknownOutcome if changes else Unreachable)(self.site, what, said)
        raise StorageRefused(self.site, what, f"{said} (status {done.status})")


def _is_mirrored(info: Mapping[str, Any]) -> bool:
    """Not while the daemon is creating it, or its mirroring is being ended: it has no status yet, or any more."""
    return (info.get("mirroring") or {}).get("state") == "enabled"


def _checked(name: str) -> str:
    """ValueError for what would be another image, a snapshot or an option: names are made of ids."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an image or a snapshot")
    return name


def _roll_back_seconds(image: MirrorImage) -> float:
    return CHANGE_SECONDS + ROLL_BACK_SECONDS_PER_GIB * image.size_bytes / 2**30


def _not_connected(done: Done) -> bool:
    return any(words in done.error for words in _NOT_CONNECTED)


def _last_words(done: Done) -> str:
    lines = [line.strip() for line in (done.error or done.out).splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "it said nothing"


def _outcome(error: SiteError) -> AuditOutcome:
    if isinstance(error, Unreachable | Unsupported):
        return AuditOutcome.NOT_SENT
    return AuditOutcome.REFUSED if isinstance(error, StorageRefused) else AuditOutcome.UNKNOWN


def _understood(site: str, what: str, read: Callable[[], T]) -> T:
    """StorageRefused for an answer that is none."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StorageRefused(site, what, f"its answer cannot be read: {error!r}") from error
