"""Zones and keys of the configuration: what is read, and that nothing tells a secret."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from multisite.domain.errors import Invalid, Unavailable
from multisite.recovery.dns.keys import read_key
from multisite.recovery.dns.model import is_in, plain_name
from multisite.recovery.dns.zones import zones

SECRET = "c2VjcmV0IHRoYXQgbm8gb25lIHNob3dz"
FILE = f"""
# made by tsig-keygen
key "vnf" {{
\talgorithm hmac-sha256;
\tsecret "{SECRET}";
}};
/* key "old" {{ algorithm hmac-md5; secret "x"; }}; */
key second {{ algorithm hmac-sha512; secret "aGFs//8="; }}; // slashes of base64 are none of a comment
key "weak" {{ algorithm hmac-md5; secret "{SECRET}"; }};
key "broken" {{ algorithm hmac-sha256; secret "{SECRET}!"; }};
"""


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(FILE)
    file.chmod(0o640)
    return file


def test_keys_as_bind_writes_them(keys: Path) -> None:
    assert read_key(keys, "vnf").secret == base64.b64decode(SECRET)
    assert read_key(keys, "VNF.").secret == base64.b64decode(SECRET), "a name of the DNS"
    second = read_key(keys, "second")
    assert (second.secret, str(second.algorithm)) == (base64.b64decode("aGFs//8="), "hmac-sha512.")


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_a_file_that_others_may_read_is_not_used(keys: Path, mode: int) -> None:
    keys.chmod(mode)
    with pytest.raises(Unavailable, match=rf"dns_keys: .* is open to others, with mode {mode:o}: chmod 640"):
        read_key(keys, "vnf")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("old", "has no key 'old': add what `tsig-keygen old` writes"),
        ("weak", "must have an algorithm"),
        ("broken", "and a secret in base64"),
    ],
)
def test_a_key_that_is_none_is_told_of_without_its_secret(keys: Path, name: str, said: str) -> None:
    with pytest.raises(Unavailable, match=said) as told:
        read_key(keys, name)
    assert SECRET not in str(told.value)
    assert told.value.__cause__ is None


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file or directory: write keys there"):
        read_key(tmp_path / "none", "vnf")


@pytest.mark.parametrize(
    ("server", "where"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
    ],
)
def test_zones(server: str, where: tuple[str, int]) -> None:
    found = zones([f"VNF.example.org. server={server} key=vnf projects=p1,p2"], "/etc/keys")
    zone = found["vnf.example.org"]
    assert (zone.server, zone.key) == (where, "vnf")
    assert [zone.allows(project) for project in ("p1", "p2", "p3", "")] == [True, True, False, False]
    assert zones([f"a.b server={server} key=k projects=*"], "/etc/keys")["a.b"].allows("p3")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("vnf.example.org server=192.0.2.53 key=vnf", "must be <zone> server="),
        ("vnf.example.org server=192.0.2.53 key=vnf projects=", "must be <zone> server="),
        ("vnf.example.org server=192.0.2.53 key=vnf projects=p secret=x", "must be <zone> server="),
        ("vnf..org server=192.0.2.53 key=vnf projects=p", "must be <zone> server="),
        ("vnf.org server=ns.vnf.org key=vnf projects=p", "server=ns.vnf.org must be an address"),
        ("vnf.org server=192.0.2.53:0 key=vnf projects=p", "a port is 1 to 65535"),
        ("vnf.org server=192.0.2.53:x key=vnf projects=p", "must be an address"),
    ],
)
def test_a_wrong_line_is_refused(line: str, said: str) -> None:
    with pytest.raises(Invalid, match=rf"\[recovery_plans\] dns_zones: .*{said}"):
        zones([line], "/etc/keys")


def test_zones_that_contradict() -> None:
    line = "vnf.org server=192.0.2.53 key=vnf projects=p"
    with pytest.raises(Invalid, match=r"vnf\.org is named twice"):
        zones(
            [
                line,
                line.upper()
                .replace("SERVER", "server")
                .replace("KEY", "key")
                .replace("PROJECTS", "projects"),
            ],
            "/k",
        )
    with pytest.raises(Invalid, match="dns_keys is not set"):
        zones([line], None)


def test_names() -> None:
    assert plain_name("MME.vnf.example.org.") == "mme.vnf.example.org"
    for wrong in (
        "",
        ".",
        "a..b",
        "-a.b",
        "a.b-",
        "a b.c",
        "*.a.b",
        "a" * 64 + ".b",
        "é.b",
        "a.b\n",
        ".".join(["a" * 50] * 6),
    ):
        assert plain_name(wrong) is None, wrong
    assert is_in("mme.vnf.org", "vnf.org")
    assert is_in("vnf.org", "vnf.org")
    assert not is_in("mmevnf.org", "vnf.org")
