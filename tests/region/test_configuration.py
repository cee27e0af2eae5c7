"""The tiers read what the region writes for them."""

from pathlib import Path

import pytest

from archive.config import load
from central_store.config import CentralSettings
from deploy.region.configuration import CENTRAL_SERVE, Configurations, region_file
from deploy.region.options import Authority, Caller, Peer, RegionOptions, Source
from deploy.region.ports import KeptPorts
from deploy.region.tokens import hashed, kept_tokens
from deploy.region.valkey import Valkey
from local_node.config import NodeSettings


@pytest.fixture
def configurations(tmp_path: Path) -> Configurations:
    options = RegionOptions(
        tmp_path,
        ("RXA", "RXB"),
        peers=(Peer.parse("RXA:WS=127.0.0.1:104"), Peer.parse("CENTRE:WS2=127.0.0.1:105")),
        callers=(Caller.parse("WS=RXB"),),
        authorities=(Authority.parse("RXA=RXAW"),),
        sources=(Source.parse("RXA:PAS|WEST=RXAW"),),
    )
    ports = KeptPorts(tmp_path / "ports.json")
    ports.keep(CENTRAL_SERVE, {"http": 40001, "dicom": 40002})
    ports.keep("RXA.receive", {"dicom": 40003, "mllp": 40004})
    broker = Valkey(Path("/valkey-server"), Path("/run/valkey.sock"), tmp_path, 16)
    tokens = kept_tokens(tmp_path / "secrets.json", options.trusts)
    return Configurations(options, tokens, broker, ports)


def test_a_node_reads_its_file(configurations: Configurations, tmp_path: Path) -> None:
    file = tmp_path / "RXA.toml"
    file.write_text(configurations.node("RXA"))

    node = load(NodeSettings, file)

    assert node.node.organisation == "RXA"
    assert node.broker == "redis+socket:///run/valkey.sock?virtual_host=1"
    assert (node.dicom.port, node.dicom.any_caller, node.mllp.port) == (40003, True, 40004)
    assert node.http.port == 0
    assert [one.namespace for one in node.authorities] == ["RXA", "RXAW"]
    assert [(one.kind, one.name, one.authority) for one in node.sources] == [
        ("dicom", "PAS|WEST", "RXAW"),
        ("hl7", "PAS|WEST", "RXAW"),
    ]
    assert [one.ae_title for one in node.peers] == ["WS"]
    assert node.centre is not None
    assert node.centre.url == "http://127.0.0.1:40001"
    assert node.centre.token == configurations.tokens.nodes["RXA"]


def test_the_centre_reads_its_file_and_knows_every_node_by_its_hash(
    configurations: Configurations, tmp_path: Path
) -> None:
    file = tmp_path / "central.toml"
    file.write_text(configurations.central())

    central = load(CentralSettings, file)

    nodes = configurations.tokens.nodes
    assert {one.name: one.token_sha256 for one in central.nodes} == {
        trust: hashed(token) for trust, token in nodes.items()
    }
    assert {one.ae_title: one.organisation for one in central.callers} == {
        "RXA": "RXA",
        "RXB": "RXB",
        "WS": "RXB",
    }
    assert [one.ae_title for one in central.peers] == ["WS2"]
    assert {one.name: (one.role, one.organisation) for one in central.tokens} == {
        "operator": ("operator", ""),
        "radiologist.RXA": ("radiologist", "RXA"),
        "radiologist.RXB": ("radiologist", "RXB"),
    }


def test_region_json_has_its_stable_shape(configurations: Configurations) -> None:
    published = region_file(["RXA"], ports=configurations.ports, tokens=configurations.tokens)

    assert published == {
        "central": {
            "http": "http://127.0.0.1:40001",
            "dicom": {"host": "127.0.0.1", "port": 40002, "ae_title": "CENTRE"},
        },
        "trusts": {
            "RXA": {
                "http": "http://127.0.0.1:0",
                "dicom": {"host": "127.0.0.1", "port": 40003, "ae_title": "RXA"},
                "mllp": {"host": "127.0.0.1", "port": 40004},
            }
        },
        "tokens": dict(configurations.tokens.users),
    }


def test_tokens_are_made_once_and_those_of_a_new_trust_are_added(tmp_path: Path) -> None:
    first = kept_tokens(tmp_path / "secrets.json", ["RXA"])

    second = kept_tokens(tmp_path / "secrets.json", ["RXA", "RXB"])

    assert second.nodes["RXA"] == first.nodes["RXA"]
    assert second.users["operator"] == first.users["operator"]
    assert set(second.users) == {"operator", "radiologist.RXA", "radiologist.RXB"}
    assert len({*second.users.values(), *second.nodes.values()}) == 5
