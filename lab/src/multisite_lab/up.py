"""`up` and `down`: from nothing, or from any half of the lab, to ready sites and back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from multisite_lab import core_store, form, lifecycle, mirroring, netns, paths, plugins, process
from multisite_lab.model import ALL_SITES, CORE_NAMESPACE, HOSTS, LabError, Machine, Site, machines_of
from multisite_lab.passwords import Passwords
from multisite_lab.render import render_clouds
from multisite_lab.star import cluster, entry, layout
from multisite_lab.supervise import Supervisor

BOOT_TIMEOUT = 600.0

Report = Callable[[str], None]


class Up:
    """One run of `up` for some sites; every step looks first whether it is needed."""

    def __init__(self, sites: list[Site], report: Callable[[str], None]) -> None:
        self._sites = sites
        self._whole = [site for site in sites if form.whole(site)]
        self._networked = [site for site in sites if form.own_database(site)]
        self._begun = time.monotonic()
        self._report = report

    def run(self) -> None:
        """Bring the sites up and furnish them."""
        os.umask(0o077)
        check_machine()
        self.say("checking installed software")
        ensure_installed()
        lifecycle.link_bindings()
        origins = lifecycle.origins(self.say)
        netns.ensure_core()
        changed, warning = plugins.ensure() if self._networked else ([], "")
        if warning:
            self.say(f"WARNING: {warning}")
        if form.current().object_store:
            core_store.ensure(self.say)
        if form.current().replication:
            mirroring.install_programs()
        for site in self._sites:
            lifecycle.end_half_dead(site, self._of(site))
            self._prepare(site, origins, changed)
        write_clouds()
        if form.shared():
            entry.ensure(self.say)
            cluster.before_start(self._sites, self.say)
        for group in self._groups():
            booting = [machine for machine in group if lifecycle.ensure_started(machine, self._of(machine))]
            lifecycle.follow_boot(booting, lambda site, text: self.say(f"{site.name}: {text}"), BOOT_TIMEOUT)
            for machine in group:
                self._verify(machine)
        if form.shared() and any(layout.is_master(site) for site in self._sites):
            entry.wait()
        if form.current().replication:
            mirroring.ensure(self._whole, self.say)
        self._furnish()
        self.say("all ready")

    def say(self, text: str) -> None:
        """Report a step with the seconds since the beginning."""
        self._report(f"{time.monotonic() - self._begun:6.1f} s  {text}")

    def _of(self, site: Machine) -> Report:
        return lambda text: self.say(f"{site.name}: {text}")

    def _groups(self) -> list[list[Machine]]:
        """What boots together: all sites; with several machines each, one site after the other.

        More programs at once than the processors can start in a minute would time out on each other.
        """
        groups = [form.machines(site) for site in self._sites]
        return groups if form.current().networks else [[machine for group in groups for machine in group]]

    def _prepare(self, site: Site, origins: lifecycle.Origins, plugins_changed: list[str]) -> None:
        changed: dict[Machine, bool] = {site: lifecycle.prepare(site, origins)}
        for host in form.hosts(site):
            lifecycle.end_half_dead(host, self._of(host))
            changed[host] = lifecycle.prepare_host(host)
        self._stop_loaders(site, plugins_changed)
        for machine in [machine for machine, told in changed.items() if told and not plugins_changed]:
            if lifecycle.is_alive(machine) and Supervisor(machine).answers():
                self.say(
                    f"{machine.name}: WARNING: its configuration changed; services use it after a restart"
                )

    def _stop_loaders(self, site: Site, plugins_changed: list[str]) -> None:
        """End what runs with an older plugin: the repair starts it again."""
        if site not in self._networked or not lifecycle.is_alive(site) or not Supervisor(site).answers():
            return
        running = Supervisor(site).programs()
        for name in [
            name for plugin in plugins_changed for name in plugins.SERVICES[plugin] if name in running
        ]:
            self.say(f"{site.name}: a plugin changed: restarting {name}")
            Supervisor(site).stop(name)

    def _furnish(self) -> None:
        for site in self._whole:
            options: list[str] = []
            if form.current().l3:
                options.append("--external")
            if form.furnished(site):
                image = guest_image(self.say)
                options += ["--flavor", *(["--image", str(image)] if image else [])]
            stamp = site.var / "furnished"
            mark = " ".join(["types", *options])
            if stamp.exists() and stamp.read_text() == mark:
                continue
            self.say(
                f"{site.name}: volume types" + "".join(f", {o[2:]}" for o in options if o.startswith("--"))
            )
            command = [
                *netns.enter(CORE_NAMESPACE),
                sys.executable,
                "-m",
                "multisite_lab.provision",
                site.name,
            ]
            done = subprocess.run([*command, *options], capture_output=True, text=True)
            if done.returncode:
                raise LabError(f"{site.name} cannot be furnished: {done.stderr.strip()[-600:]}")
            stamp.write_text(mark)

    def _verify(self, site: Machine) -> None:
        outside = Path("/proc/self/ns/net").readlink()
        for pid in process.members(lifecycle.init_pid(site)).values():
            try:
                leaked = Path(f"/proc/{pid}/ns/net").readlink() == outside
            except OSError:
                continue
            if leaked:
                lifecycle.kill(site.site)
                raise LabError(f"{site.name} ran a process in the machine's own network: stopped")


def down(sites: list[Site], wipe: bool, report: Report) -> None:
    """Cut the power of the sites; with all of them down the core goes too; `wipe` forgets what they kept."""
    all_of_them = set(sites) == set(form.sites().values())
    if wipe and form.shared() and not all_of_them:
        raise LabError("sites of one identity hold copies of each other: they are wiped together, name none")
    if all_of_them:
        # Also of a lab whose form was forgotten half way.
        sites = [*sites, *(s for s in ALL_SITES.values() if s not in sites and s.root.exists())]
    for site in sites:
        seconds = lifecycle.kill(site)
        report(f"{site.name}: down after {seconds:.2f} s")
        if wipe:
            lifecycle.wipe(site)
    if any(lifecycle.is_alive(machine) for site in ALL_SITES.values() for machine in machines_of(site)):
        return
    entry.stop()
    core_store.stop()
    netns.remove_core()
    if wipe and all_of_them:
        for folder in (paths.backup_store(), core_store.folder(), paths.state() / "plugins"):
            shutil.rmtree(folder, ignore_errors=True)
        (paths.state() / "clouds.yaml").unlink(missing_ok=True)
        form.forget()


def write_clouds() -> None:
    """clouds.yaml for every site that was ever made."""
    made = {site: site.root / "passwords.json" for site in form.sites().values()}
    render_clouds({site: Passwords.load(path) for site, path in made.items() if path.exists()})


def check_machine() -> None:
    """Refuse where the lab could do harm or cannot work."""
    if os.geteuid():
        raise LabError("the lab makes namespaces and mounts: it must be run by root")
    for name in (CORE_NAMESPACE, *(m.namespace for m in (*ALL_SITES.values(), *HOSTS.values()))):
        netns.require_ours(name)


def ensure_installed() -> None:
    """Install what the sites are made of, or say what is missing."""
    try:
        from multisite_lab import install
    except ImportError:
        if not (paths.openstack_venv() / "bin" / "nova-compute").exists():
            raise LabError(f"OpenStack is not installed in {paths.openstack_venv()}") from None
        return
    install.ensure()


def guest_image(report: Report) -> Path | None:
    """The guest image, built on first use; None while this lab cannot build one."""
    try:
        from multisite_lab import guest
    except ImportError:
        report("WARNING: no guest image module: site1 gets no image")
        return None
    return Path(guest.image())
