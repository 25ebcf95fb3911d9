#!/bin/bash
# What recovering by hand takes: one openstack command after the other, as a careful operator with a runbook would type
# them, from a restore point's manifest to guests that are ready.  The peer that `bench.recovery` compares with.
#
#   multisite-lab exec -- bench/baseline_restore.sh SITE MANIFEST.json
#
# Prints a line per phase and, last, "total SECONDS".  Makes everything under the names the application had; remove it
# with: python -m multisite_lab.vnf destroy SITE NAME
set -euo pipefail
SITE=$1 MANIFEST=$2
HERE=$(cd "$(dirname "$0")/.." && pwd)
OPENSTACK=${OPENSTACK:-$HERE/.venv/bin/openstack}
PYTHON=${PYTHON:-$HERE/.venv/bin/python}
export OS_CLOUD=$SITE PYTHONWARNINGS=ignore
LIMIT=600
BEGUN=$(date +%s%N)
phase() { local now; now=$(date +%s%N); printf '%8.1f s  %s\n' "$(((now - BEGUN) / 1000000))e-3" "$*"; }
os() { "$OPENSTACK" "$@" 2> >(grep -v '^WARNING: Failed to import plugin' >&2); }
# The manifest as rows of fields, one kind at a time: stands for the operator's notes.  Fields are separated by a
# character the shell does not take for white space, else empty ones would be lost.
rows() { "$PYTHON" - "$MANIFEST" "$1" << 'PY'
import json, sys
m = json.load(open(sys.argv[1])); kind = sys.argv[2]
def row(*fields): print(*("" if f is None else f for f in fields), sep="\x1f")
if kind == "flavor":
    for f in {s["flavor"]["name"]: s["flavor"] for s in m["servers"]}.values(): row(f["name"], f["vcpus"], f["memory_mib"], f["disk_gib"])
if kind == "keypair":
    for k in m["keypairs"]: row(k["name"], k["public_key"])
if kind == "server_group":
    for g in m["server_groups"]: row(g["id"], g["name"], g["policy"])
if kind == "security_group":
    for g in m["security_groups"]:
        if g["name"] != "default": row(g["id"], g["name"])
if kind == "rule":
    for g in m["security_groups"]:
        for r in g["rules"] if g["name"] != "default" else ():
            # A new group comes with the two rules that let everything out.
            if r["direction"] == "ingress":
                ports = f"{r['port_min']}:{r['port_max']}" if r["port_min"] else ""
                row(g["id"], r["ethertype"], r["protocol"], ports, r["remote_address"], r["remote_group_id"])
if kind == "network":
    for n in m["networks"]: row(n["id"], n["name"])
if kind == "subnet":
    for s in m["subnets"]: row(s["id"], s["network_id"], s["name"], s["cidr"], s["gateway_address"] or "none", "--dhcp" if s["dhcp"] else "--no-dhcp")
if kind == "port":
    for p in m["ports"]:
        a = p["fixed_addresses"][0]
        row(p["id"], p["name"], p["network_id"], p["mac_address"], a["subnet_id"], a["address"], " ".join(p["security_group_ids"]))
if kind == "backup":
    for v in m["volumes"]:
        chain = v["payload"]["data"]["backups"]
        for i, b in enumerate(chain, 1):
            row(v["id"], v["name"] or v["id"], b["id"], b["record"]["backup_service"], b["record"]["backup_url"], "newest" if i == len(chain) else "")
if kind == "server":
    for s in sorted(m["servers"], key=lambda s: s["order"]):
        row(s["name"], s["flavor"]["name"], s["key_name"], s["server_group_id"], s["description"], " ".join(s["volume_ids"]), " ".join(s["port_ids"]), " ".join(f"{k}={v}" for k, v in s["metadata"].items()))
PY
}
each() { # kind, function: calls the function with the fields of every row
  local kind=$1 work=$2 fields
  while IFS=$'\x1f' read -r -u 9 -a fields; do "$work" "${fields[@]}"; done 9< <(rows "$kind")
}
until_is() { # what, wanted value, command that prints the value
  local what=$1 wanted=$2 end=$((SECONDS + LIMIT)) value; shift 2
  while value=$("$@"); [ "$value" != "$wanted" ]; do
    case "$value" in *rror* | *ERROR*) echo "$what is $value" >&2; exit 1;; esac
    [ $SECONDS -lt $end ] || { echo "$what is still $value" >&2; exit 1; }
    sleep 1
  done; }
declare -A NEW

flavor() { os flavor show "$1" > /dev/null 2>&1 || os flavor create --id "$1" --vcpus "$2" --ram "$3" --disk "$4" "$1" > /dev/null; }
keypair() { os keypair create --public-key <(echo "$2") "$1" > /dev/null; }
server_group() { NEW[$1]=$(os server group create --policy "$3" -f value -c id "$2"); }
security_group() { NEW[$1]=$(os security group create -f value -c id "$2"); }
rule() {
  local options=(--ingress --ethertype "$2")
  [ -z "${3:-}" ] || options+=(--protocol "$3")
  [ -z "${4:-}" ] || options+=(--dst-port "$4")
  [ -z "${5:-}" ] || options+=(--remote-ip "$5")
  [ -z "${6:-}" ] || options+=(--remote-group "${NEW[$6]}")
  os security group rule create "${options[@]}" "${NEW[$1]}" > /dev/null; }
network() { NEW[$1]=$(os network create -f value -c id "$2"); }
subnet() { NEW[$1]=$(os subnet create --network "${NEW[$2]}" --subnet-range "$4" --gateway "$5" "$6" -f value -c id "$3"); }
port() {
  local options=(--network "${NEW[$3]}" --mac-address "$4" --fixed-ip "subnet=${NEW[$5]},ip-address=$6") group
  for group in ${7:-}; do options+=(--security-group "${NEW[$group]}"); done
  NEW[$1]=$(os port create "${options[@]}" -f value -c id "$2"); }
# The openstack command of today posts an import to the address of the export (openstacksdk 4.22): a line of Python it is.
import_record() { "$PYTHON" - "$1" "$2" << 'PY'
import sys, openstack
record = {"backup_service": sys.argv[1], "backup_url": sys.argv[2]}
openstack.connect().block_storage.post("/backups/import_record", json={"backup-record": record}).raise_for_status()
PY
}
backup() { # every record of a chain is imported unless this site has it, the newest is restored
  os volume backup show "$3" > /dev/null 2>&1 || import_record "$4" "$5"
  until_is "backup $3" available os volume backup show -f value -c status "$3"
  [ "${6:-}" = newest ] || return 0
  NEW[$1]=$(os volume backup restore -f value -c volume_id "$3" "$2")
  until_is "volume $2" available os volume show -f value -c status "${NEW[$1]}"; }
server() {
  local name=$1 options=(--flavor "$2" --wait) property port volume number=0
  [ -z "$3" ] || options+=(--key-name "$3")
  [ -z "$4" ] || options+=(--hint "group=${NEW[$4]}")
  [ -z "$5" ] || options+=(--description "$5")
  for volume in $6; do
    if [ $number = 0 ]; then options+=(--volume "${NEW[$volume]}")
    else options+=(--block-device "uuid=${NEW[$volume]},source_type=volume,destination_type=volume,boot_index=-1"); fi
    number=$((number + 1))
  done
  for port in $7; do options+=(--port "${NEW[$port]}"); done
  for property in ${8:-}; do options+=(--property "$property"); done
  os server create "${options[@]}" -f value -c id "$name" > /dev/null
  phase "server $name is active"; }
says() { case "$(os console log show "$1")" in *GUEST-READY*) echo ready;; *) echo waiting;; esac; }
ready() { until_is "server $1" ready says "$1"; phase "server $1 is ready"; }

each flavor flavor; each keypair keypair; each server_group server_group
each security_group security_group; each rule rule
each network network; each subnet subnet; each port port
phase "networks, rules and ports are made"
each backup backup
phase "volumes are restored"
each server server
each server ready
phase "everything is ready"
printf 'total %.1f\n' "$((($(date +%s%N) - BEGUN) / 1000000))e-3"
