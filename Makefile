# Everything a newcomer needs: `make demo` and `make test`.  Both install what they need, as root on Debian 12.
SHELL := /bin/bash
BIN := .venv/bin
LAB := $(BIN)/multisite-lab
INSIDE := $(LAB) exec --
# what each suite of tests on real sites runs; site-loss is the part that every change must pass
SUITE_site-loss := tests/lab/recovery/test_access.py tests/lab/recovery/test_protection.py tests/lab/recovery/test_site_loss.py
SUITE_recovery := tests/lab/sites tests/lab/quiesce tests/lab/recovery
# the simulated sites' checks, asked of the real ones
SUITE_contract := tests/contract/sites/test_contract.py
# one identity over three sites; brings up a lab of that form
SUITE_identity := tests/lab/identity
FORM_identity := --identity star --only-identity
# networks between sites: two compute hosts each, routers, a lean third site
SUITE_networks := tests/lab/networks
FORM_networks := --compute-hosts 2 --l3 --third
FORM_remote_ports := $(FORM_networks)
# the main job with Cinder's backups and the manifests in S3
SUITE_object-store := tests/lab/recovery/test_site_loss.py
FORM_object-store := --object-store
# images in sync between sites
SUITE_resources := tests/lab/resources
# volumes that the storage copies
SUITE_replication := tests/lab/replication
FORM_replication := --replication
SUITE ?= recovery
NAME ?= quiesce_window
# pyenv and the like must not come between us and Debian's Python
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help demo demo-unfrozen test test-workers test-identity test-keys test-ceph test-unit test-flows test-engine test-sim test-sim-a-m test-sim-n-r test-sim-s-z test-nova test-neutron test-lab bench lab-up lab-down lint lock env test-stores test-dns
.PHONY: ledger-property preview-property crash-matrix crash-matrix-lab fault-matrix fault-matrix-lab mutants fuzz

help:
	@echo 'make demo                  lose a site, recover the application in the other one, prove it'
	@echo 'make test                  everything CI runs: lint, unit tests, tests on real sites'
	@echo 'make lint | test-unit | test-flows   the checks that need no lab'
	@echo 'make test-workers          workers that die, freeze and come back, on PostgreSQL (no lab)'
	@echo 'make test-identity         rendered identity of three sites, run and checked: MariaDB, Galera, HAProxy, Keystone (no lab)'
	@echo 'make test-keys             token keys of many sites: rotations under load over SSH, kills, theft (no lab)'
	@echo 'make test-ceph             replication of volumes by rbd-mirror, between two real Ceph clusters (no lab)'
	@echo 'make test-stores           manifests in S3: a real Ceph gateway that is killed, stopped, locked (no lab)'
	@echo 'make test-dns              DNS updates of recovery plans against a real BIND 9 (no lab)'
	@echo 'make test-lab SUITE=name   tests on real sites; suites: site-loss, recovery (all), contract, identity, networks, object-store, replication, resources'
	@echo 'make crash-matrix          kill -9 at every boundary of every recovery job (no lab); ARGS="--jobs 2", "--random 100"'
	@echo 'make bench NAME=name       benchmarks against a floor or a peer; names: quiesce_window, backup, image, recovery, recovery_path, engine_overhead, identity_constants, lists, reconcile, remote_ports, warm_standby'
	@echo 'make fault-matrix          every OpenStack call fails in every way, over simulated sites; ARGS="--jobs 2"'
	@echo 'make fuzz                  20,000 requests and 3,000 damaged manifests against the API (no lab, long)'
	@echo 'make ledger-property       applications drawn at random over the ledger: equal after a recovery, or told; EXAMPLES=200'
	@echo 'make preview-property      targets drawn at random, against their previews; TARGETS=200'
	@echo 'make fault-matrix-lab      a sample of these on the real sites'
	@echo 'make mutants               plant 40 bugs and say which test catches each (no lab); ARGS="--jobs 2"'
	@echo 'make lab-up | lab-down     the two sites, for trying things by hand'
	@echo 'make lock                  resolve requirements/*.in again'

env:
	@tools/bootstrap

demo-unfrozen: env
	@$(BIN)/python -m demo --unfrozen

demo: env
	@$(BIN)/python -m demo

test: lint
	@$(MAKE) --no-print-directory -j4 --output-sync=target test-sim test-unit test-engine test-dns test-nova test-neutron
	@$(LAB) down --wipe  # sites that hold something of an earlier, killed run prove nothing
	@$(MAKE) --no-print-directory test-lab SUITE=site-loss

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_house.py

test-unit: env
	$(BIN)/pytest -q tests/unit

# whole flows without a lab; most of their time is waiting, so the two parts run beside each other in `make test`
test-flows: test-engine test-sim

# crashes of the engine, the API against its document, samples of the matrices
test-engine: env
	$(BIN)/pytest -q tests/crash tests/contract tests/matrix

# the service over simulated sites, which mostly waits: in three parts, beside each other in `make test`
test-sim: test-sim-a-m test-sim-n-r test-sim-s-z

test-sim-a-m: env
	$(BIN)/pytest -q tests/sim/test_[a-m]*.py

test-sim-n-r: env
	$(BIN)/pytest -q tests/sim/test_[n-r]*.py

test-sim-s-z: env
	$(BIN)/pytest -q tests/sim --ignore-glob='tests/sim/test_[a-r]*.py'

# FUZZ_SEED=N for others; half an hour of one processor; kept log lines would count as growth
fuzz: env
	FUZZ_REQUESTS=20000 FUZZ_MANIFESTS=3000 $(BIN)/pytest -q -s -p no:logging tests/contract/test_fuzz.py

# others each time; what fails is shown as small as it gets
EXAMPLES ?= 200
ledger-property: env
	LEDGER_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -q tests/sim/ledger

# startable ends done, not startable names what is really there; more of them than every run draws
TARGETS ?= 200
preview-property: env
	PREVIEW_TARGETS=$(TARGETS) $(BIN)/pytest -q tests/sim/test_preview_against_steps.py

# ARGS: --only CASE, --sample N --seed S, --jobs N, --json FILE (tests/matrix/README.md)
fault-matrix: env
	@$(BIN)/python -m tests.matrix.faults $(ARGS)

fault-matrix-lab: lab-up
	@$(INSIDE) $(BIN)/python -m tests.matrix.faults --lab $(ARGS)

# the plugin is tested inside the environment of the sites, where Nova is
test-nova: env
	@$(BIN)/python -m multisite_lab.install
	PYTHONPATH=plugins/nova/src $$($(BIN)/python -c 'from multisite_lab import paths; print(paths.openstack_venv())')/bin/pytest -q -c plugins/nova/pytest.ini plugins/nova/tests

# on Neutron's own test base, in the environment of the sites and with a few packages more
test-neutron: env
	@$(BIN)/python -m multisite_lab.install
	PYTHONPATH=plugins/neutron/src:$$($(BIN)/python tools/neutron_test_packages.py) \
	$$($(BIN)/python -c 'from multisite_lab import paths; print(paths.openstack_venv())')/bin/pytest -q -c plugins/neutron/pytest.ini --ignore plugins/neutron/tests/real plugins/neutron/tests

test-lab: lab-up
	MULTISITE_CONTRACT_CLOUDS=$$($(BIN)/python -c 'from multisite_lab import paths; print(paths.state() / "clouds.yaml")') \
	PYTHONPATH=. $(INSIDE) $(BIN)/pytest -s -c tests/lab/pytest.ini --rootdir tests/lab $(SUITE_$(SUITE))

# killed, frozen and cut-off worker processes on a PostgreSQL server of the tests' own; as root, no lab
test-workers: env
	$(BIN)/pytest -s -c tests/workers/pytest.ini --rootdir tests/workers tests/workers

# what `identity render` writes is started as it is, in a network of the tests' own; as root, no lab
test-identity: env
	$(BIN)/pytest -s -c tests/identity/pytest.ini --rootdir tests/identity tests/identity

# the key service against real OpenSSH servers and Keystone's token code; as root, no lab
test-keys: env
	@$(BIN)/python -m multisite_lab.install
	$(BIN)/pytest -s -c tests/identity_keys/pytest.ini --rootdir tests/identity_keys tests/identity_keys

# rbd-mirror between two Ceph clusters in a network of the tests' own; as root, no lab
test-ceph: env
	$(BIN)/pytest -s -c tests/ceph/pytest.ini --rootdir tests/ceph tests/ceph
# stores of manifests against Ceph's gateway, which speaks S3 and Swift, in a network of the tests' own; as root, no lab
test-stores: env
	$(BIN)/pytest -s -c tests/stores/pytest.ini --rootdir tests/stores tests/stores

# what recovery plans change in the DNS, against BIND 9 on a port of 127.0.0.1; as root where bind9 is missing, no lab
test-dns: env
	$(BIN)/pytest -s -c tests/dns/pytest.ini --rootdir tests/dns tests/dns

# every point of a process's death; ARGS: --only POINT, --sample N --seed S, --jobs 2, --json FILE, --minutes M, --list
crash-matrix: env
	@$(BIN)/python -W ignore -m tests.matrix $(ARGS)

# the same on the lab's sites: all points around the freeze, a sample of the others
crash-matrix-lab: lab-up
	@$(INSIDE) $(BIN)/python -W ignore -m tests.matrix --lab $(ARGS)

# bugs planted in a copy of the tree; ARGS: --only NAME, --jobs N, --list (tests/mutants/README.md)
mutants: env
	@$(BIN)/python -m tests.mutants $(ARGS)

# these measure no site
ALONE := engine_overhead identity_constants lists reconcile recovery_path warm_standby
bench: $(if $(filter $(ALONE),$(NAME)),env,lab-up)
	$(if $(filter $(ALONE),$(NAME)),,$(INSIDE)) $(BIN)/python -m bench.$(NAME)

lab-up: env
	@$(LAB) up $(or $(FORM_$(SUITE)),$(FORM_$(NAME)))

lab-down: env
	@$(LAB) down

lock: env
	tools/lock
