"""The other forms start from their rendered files too, issue tokens and validate them."""

from __future__ import annotations

from identity import nodes
from identity.stage import deployed, logged_in, revoke, validate

CENTRALIZED = """
version: 1
name: one
form: centralized
entry: http://10.92.1.10:5000/v3
arbitrator: {address: 10.92.1.4, site: centre}
sites:
  - name: centre
    region: Centre
    role: master
    address: 10.92.1.10
    databases: [{address: 10.92.1.11}, {address: 10.92.1.12}]
    keys: {transport: directory}
  - {name: edge, region: Edge, role: client, address: 10.92.1.10}
"""
JWS = """
version: 1
name: signed
form: multi-cluster
entry: http://10.93.0.5:5000/v3
tokens: {provider: jws}
sites:
  - name: west
    region: West
    role: master
    address: 10.93.1.10
    databases: [{address: 10.93.1.11}]
    keys: &keys
      transport: directory
      jws_public: /etc/keystone/jws-keys/public
      jws_private: /etc/keystone/jws-keys/private
  - name: east
    region: East
    role: replica
    address: 10.93.2.10
    databases: [{address: 10.93.2.11, follows: west}]
    keys: *keys
"""


# Each in a network of its own: the star's doors are at the same ports of loopback.


def test_centralized(guardian: nodes.Guardian) -> None:
    """Its Keystone works through the door to its databases, and goes on when one of them dies."""
    with nodes.another_network(), deployed(CENTRALIZED, guardian) as stage:
        assert stage.check() == []
        token = stage.admin_token()
        assert validate(stage.topology.entry, token, token) == 200
        stage.node("centre", "database-1").stop("mariadbd", crash=True)
        assert logged_in(stage.topology.entry, "admin", stage.passwords["admin"])


def test_jws(guardian: nodes.Guardian) -> None:
    with nodes.another_network(), deployed(JWS, guardian) as stage:
        assert stage.check() == []
        west, east = (site.url for site in stage.topology.sites)
        for url in (west, east):
            token = logged_in(url, "admin", stage.passwords["admin"])
            assert token.count(".") == 2
            assert [validate(u, token, token) for u in (west, east)] == [200, 200]
        assert revoke(east, token, token) == 204
        (stage.tree / "east/keystone/etc/keystone/jws-keys/public/west.pem").unlink()
        token = logged_in(west, "admin", stage.passwords["admin"])
        assert validate("http://10.93.2.10:5001/v3", token, token) == 401, (
            "the public key is not what lets it in"
        )
