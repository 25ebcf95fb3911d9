"""``multisite-manage store``: who signs, whose manifests are used, and vouching for those that nobody signed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from command.conftest import Run, Setup, ready
from multisite.command import main, manage
from multisite.domain.installation import Mark
from multisite.recovery.marks import MarkStore
from tests.manifest_store import store_in
from tests.unit.recovery.recover_samples import manifest


def test_keys_of_two_installations(setup: Setup, run: Run) -> None:
    ready(setup, run)
    store = [manage.main, "--config-file", str(setup.file), "store"]
    code, made, _ = run(*store, "keys", "create")
    private, public = setup.folder / "state" / "manifest-signing-key.pem", setup.folder / "mine.pub"
    assert (code, made) == (0, f"{made.split()[0]}  {private}\n")
    assert private.stat().st_mode & 0o777 == 0o600
    code, _, err = run(*store, "keys", "create")
    assert (code, "--replace" in err) == (1, True)
    code, new, _ = run(*store, "keys", "create", "--replace")
    assert code == 0
    assert sorted(run(*store, "keys", "list")[1].splitlines()) == sorted(
        [made.split()[0], f"{new.split()[0]}  signs"]
    )
    public.write_text(run(*store, "keys", "export")[1])
    assert "PUBLIC KEY" in public.read_text()
    setup.change(str(setup.folder / "state"), str(setup.folder / "second"))
    assert run(*store, "keys", "list")[1] == ""
    assert run(*store, "keys", "trust", str(public))[1] == f"{new.split()[0]} is trusted\n"
    assert run(*store, "keys", "list")[1] == f"{new.split()[0]}\n"
    code, _, err = run(*store, "keys", "trust", str(private))
    assert (code, "not the public key" in err) == (1, True)


def test_signing_what_is_there(setup: Setup, run: Run) -> None:
    ready(setup, run)
    command = [manage.main, "--config-file", str(setup.file), "store"]
    store = store_in(setup.folder / "store", state=setup.folder / "state")
    for id in ("rp-1", "rp-2"):
        store.write(replace(manifest(), id=id))
        (store.path / "multisite" / "restore-points" / id / "manifest.json.sig").unlink()
    code, out, _ = run(*command, "check")
    assert (code, "sign-existing rp-1 --yes" in out) == (1, True)
    code, out, _ = run(*command, "sign-existing")
    assert (code, "rp-1  " in out, "2 restore points without a signature" in out) == (1, True, True)
    assert not store.list().manifests
    assert run(*command, "sign-existing", "rp-1", "--yes")[0] == 0
    assert [m.id for m in store.list().manifests] == ["rp-1"]
    code, _, err = run(*command, "sign-existing", "rp-1", "--yes")
    assert (code, "rp-1: not there, damaged or signed already" in err) == (1, True)
    assert run(*command, "sign-existing", "--yes")[0] == 0
    assert run(*command, "check")[0] == 0


def test_checking_what_lies_beside_the_restore_points(setup: Setup, run: Run) -> None:
    ready(setup, run)
    check = [manage.main, "--config-file", str(setup.file), "store", "check"]
    store = store_in(setup.folder / "store", state=setup.folder / "state")
    MarkStore(store).write(Mark("i1", 7, datetime(2026, 1, 1, tzinfo=UTC), "n"))
    assert run(*check)[0] == 0
    for path in ("applications/a1/epochs.jsonl", "installations/i1/7.json"):
        file = store.path / "multisite" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"{}")
        code, out, _ = run(*check)
        assert code == 1
        assert f"DAMAGED: {file}" in out


def test_keys_that_others_could_change_or_read(setup: Setup, run: Run) -> None:
    ready(setup, run)
    store_in(setup.folder / "store", state=setup.folder / "state")
    argv = ("check", "--offline", "--config-file", str(setup.file))
    (setup.folder / "state" / "manifest-keys").chmod(0o770)
    (setup.folder / "state" / "manifest-signing-key.pem").chmod(0o640)
    out = run(main.main, *argv)[1]
    for remedy in ("chmod go-w", "chmod 600"):
        assert f"{remedy} {setup.folder / 'state'}/manifest-" in out
    setup.change("[backup_store]", f"[backup_store]\ntrusted_keys = {setup.folder / 'store' / 'keys'}")
    assert "is in the backup store" in run(main.main, *argv)[1]


def test_several_hosts_have_one_key(setup: Setup, run: Run) -> None:
    ready(setup, run)
    setup.change("[clouds]", "[database]\nconnection = postgresql+psycopg://127.0.0.1:9/x\n[clouds]")
    argv = ("check", "--offline", "--config-file", str(setup.file))
    assert "multisite-manage store keys create" in run(main.main, *argv)[1]
    store_in(setup.folder / "store", state=setup.folder / "state")
    assert "store keys create" not in run(main.main, *argv)[1]


def test_encrypting_what_is_there(setup: Setup, run: Run) -> None:
    ready(setup, run)
    command = [manage.main, "--config-file", str(setup.file), "store"]
    store = store_in(setup.folder / "store", state=setup.folder / "state")
    store.write(manifest())
    code, _, err = run(*command, "encryption", "apply")
    assert (code, "[backup_store] encryption_keys: not set" in err) == (78, True)
    keys = setup.folder / "encryption-keys"
    setup.change("[backup_store]", f"[backup_store]\nencryption_keys = {keys}")
    argv = ("check", "--offline", "--config-file", str(setup.file))
    assert "store encryption create-key" in run(main.main, *argv)[1]
    assert run(*command, "encryption", "create-key")[:2] == (0, f"{keys}\n")
    assert "encryption_keys" not in run(main.main, *argv)[1]
    keys.chmod(0o640)
    assert f"chmod 600 {keys}" in run(main.main, *argv)[1]
    code, out, _ = run(*command, "encryption", "apply")
    assert (code, "1 restore points not encrypted" in out) == (1, True)
    code, out, _ = run(*command, "encryption", "apply", "--yes")
    assert (code, "1 restore points encrypted, 0 damaged" in out) == (0, True)
    assert run(*command, "encryption", "apply")[0] == 0
    assert run(*command, "check")[0] == 0
    keys.unlink()
    code, out, err = run(*command, "check")
    assert (code, "encryption_keys" in out + err) == (1, True)
    assert not any(keys.parent.glob(".encryption-keys*"))
