"""``multisite-manage store``: the backup store, and the keys that sign what Multisite writes there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from oslo_config import cfg

from multisite.command import arguments as common
from multisite.command import stores
from multisite.domain.errors import Conflict
from multisite.domain.manifest import Manifest, ManifestError
from multisite.recovery import epochs, marks
from multisite.recovery.encryption import OPTION as ENCRYPTION
from multisite.recovery.encryption import Encryption
from multisite.recovery.manifests import ManifestStore, StoreContents
from multisite.recovery.marks import MarkStore
from multisite.recovery.revive import hidden, revive
from multisite.recovery.signatures import ManifestKeys


def manifest_store(conf: cfg.ConfigOpts) -> ManifestStore:
    """The configured backup store with this installation's keys; neither is looked at yet."""
    encryption = Encryption(Path(keys) if (keys := conf.backup_store.encryption_keys) else None)
    return ManifestStore(stores.configured(conf), manifest_keys(conf), encryption=encryption)


def manifest_keys(conf: cfg.ConfigOpts) -> ManifestKeys:
    """The keys it signs with and trusts."""
    section = conf.backup_store
    return ManifestKeys.at(Path(conf.state_path), section.signing_key, section.trusted_keys)


def add(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    store = common.command(groups, "store", "the backup store").add_subparsers(required=True)
    common.command(
        store, "init", "mark the folder, bucket or container as a backup store", _init, ("initialize",)
    )
    common.command(store, "check", "is the store there, and what is in it?", _check)
    help = "show restore points that were deleted or written over, and write them anew with --yes"
    undelete = common.command(store, "undelete", help, _undelete)
    undelete.add_argument("ids", nargs="*", metavar="<restore point>", help="only these (default: all)")
    undelete.add_argument(
        "--yes", action="store_true", help="write them anew, from the versions the store has"
    )
    help = "show the restore points without a signature, and vouch for them with --yes"
    sign = common.command(store, "sign-existing", help, _sign_existing)
    sign.add_argument("ids", nargs="*", metavar="<restore point>", help="only these (default: all)")
    sign.add_argument("--yes", action="store_true", help="sign them: they are used from then on")
    keys = common.command(store, "keys", "the keys that sign manifests").add_subparsers(required=True)
    common.command(keys, "list", "the keys whose manifests are used", _keys_list)
    create = common.command(keys, "create", "make the key that signs manifests", _keys_create)
    create.add_argument("--replace", action="store_true", help="also when there is one; that stays trusted")
    trust = common.command(keys, "trust", "use manifests signed with another key, too", _keys_trust)
    trust.add_argument("file", metavar="<file>", help="public key, as `export` prints it")
    common.command(keys, "export", "print the public key, for other installations", _keys_export)
    encryption = common.command(store, "encryption", "the keys that encrypt manifests")
    verbs = encryption.add_subparsers(required=True)
    create = common.command(verbs, "create-key", "make the key that encrypts manifests", _create_key)
    create.add_argument(
        "--replace", action="store_true", help="also when there is one; that stays to decrypt"
    )
    help = "show the manifests that are not encrypted with the newest key, and encrypt them with --yes"
    apply = common.command(verbs, "apply", help, _encrypt)
    apply.add_argument("--yes", action="store_true", help="write them anew")


def _init(arguments: argparse.Namespace) -> int:
    store = opened_store(arguments)
    store.initialize()
    sys.stdout.write(f"{store.place} is a backup store\n")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    store = opened_store(arguments)
    contents = store.list()
    for manifest in contents.manifests:
        sys.stdout.write(f"{manifest.id}  {manifest.application}  {manifest.consistent_at.isoformat()}\n")
    damaged, others = _damaged(contents), [*_damaged_others(store)]
    sys.stdout.write(f"{store.place}: {len(contents.manifests)} restore points, {damaged} damaged\n")
    for problem in others:
        sys.stdout.write(f"DAMAGED: {problem}\n")
    return common.EXIT_FAILED if damaged or others else 0


def _damaged_others(store: ManifestStore) -> Iterator[str]:
    """What is wrong with the files beside the restore points: epochs of applications, marks of databases."""
    kinds = ((epochs.FOLDER, partial(epochs.stored_epochs, store)), (marks.FOLDER, MarkStore(store).newest))
    for folder, read in kinds:
        for id in store.folders(folder):
            try:
                read(id)
            except ManifestError as error:
                yield str(error)


def _sign_existing(arguments: argparse.Namespace) -> int:
    store = opened_store(arguments)
    contents = store.unsigned()
    chosen = [m.id for m in contents.manifests if not arguments.ids or m.id in arguments.ids]
    if missing := set(arguments.ids) - set(chosen):
        raise Conflict(f"restore point: {', '.join(sorted(missing))}: not there, damaged or signed already")
    if arguments.yes:
        store.keys.make()
    for id in chosen:
        sys.stdout.write(_shown(store.sign(id) if arguments.yes else store.read_unsigned(id)))
    damaged = 0 if arguments.ids else _damaged(contents)
    done = "signed" if arguments.yes else "without a signature; --yes signs them, if all are yours"
    sys.stdout.write(f"{store.place}: {len(chosen)} restore points {done}, {damaged} damaged\n")
    return common.EXIT_FAILED if damaged or (chosen and not arguments.yes) else 0


def _undelete(arguments: argparse.Namespace) -> int:
    store = opened_store(arguments)
    found = [one.manifest for one in hidden(store) if not arguments.ids or one.manifest.id in arguments.ids]
    if missing := set(arguments.ids) - {manifest.id for manifest in found}:
        raise Conflict(
            f"restore point: {', '.join(sorted(missing))}: usable as it is, or no version of it is"
        )
    for manifest in found:
        sys.stdout.write(_shown(revive(store, manifest.id) if arguments.yes else manifest))
    done = (
        "written anew; `restore point rescan` makes them known" if arguments.yes else "can be; --yes does it"
    )
    sys.stdout.write(f"{store.place}: {len(found)} restore points {done}\n")
    return common.EXIT_FAILED if found and not arguments.yes else 0


def _shown(manifest: Manifest) -> str:
    return (
        f"{manifest.id}  {manifest.application} of project {manifest.project_id} at {manifest.source.name}"
        f"  {manifest.consistent_at.isoformat()}  {', '.join(server.name for server in manifest.servers)}\n"
    )


def _damaged(contents: StoreContents) -> int:
    for damaged in contents.damaged:
        sys.stdout.write(f"{damaged.id}  DAMAGED: {damaged.problem}\n")
    return len(contents.damaged)


def _keys_list(arguments: argparse.Namespace) -> int:
    keys = opened_store(arguments).keys
    signing = keys.signing_id()
    for id in keys.ids():
        sys.stdout.write(f"{id}{'  signs' if id == signing else ''}\n")
    return 0


def _keys_create(arguments: argparse.Namespace) -> int:
    keys = opened_store(arguments).keys
    if keys.signing_id() is not None and not arguments.replace:
        raise Conflict(
            f"{keys.signing_key}: there is a key; --replace makes a new one, the old stays trusted"
        )
    id = keys.replace() if arguments.replace else keys.make()
    sys.stdout.write(f"{id}  {keys.signing_key}\n")
    return 0


def _keys_trust(arguments: argparse.Namespace) -> int:
    sys.stdout.write(f"{opened_store(arguments).keys.trust(Path(arguments.file))} is trusted\n")
    return 0


def _keys_export(arguments: argparse.Namespace) -> int:
    sys.stdout.write(opened_store(arguments).keys.export().decode())
    return 0


def _create_key(arguments: argparse.Namespace) -> int:
    sys.stdout.write(f"{opened_store(arguments).encryption.make_key(replace=arguments.replace)}\n")
    return 0


def _encrypt(arguments: argparse.Namespace) -> int:
    store = opened_store(arguments)
    if store.encryption.keys is None:
        raise common.ConfigurationWrong(f"{ENCRYPTION}: not set")
    contents = store.list()
    found = [m.id for m in contents.manifests if not store.sealed_with_newest(m.id)]
    for id in found:
        if arguments.yes:
            store.seal(id)
        sys.stdout.write(f"{id}\n")
    done = "encrypted" if arguments.yes else "not encrypted with the newest key; --yes does it"
    damaged = _damaged(contents)
    sys.stdout.write(f"{store.place}: {len(found)} restore points {done}, {damaged} damaged\n")
    return common.EXIT_FAILED if damaged or (found and not arguments.yes) else 0


def opened_store(arguments: argparse.Namespace) -> ManifestStore:
    """The configured one; ConfigurationWrong."""
    conf = common.configuration(arguments)
    if problem := stores.missing(conf):
        option, what, remedy = problem
        raise common.ConfigurationWrong(f"{option}: {what}: {remedy}")
    return manifest_store(conf)
