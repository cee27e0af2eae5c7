"""What a person may ask of a region."""

from pathlib import Path

import pytest

from archive.errors import ConfigurationInvalid
from deploy.region.options import Authority, Caller, Peer, RegionOptions, Source

DIRECTORY = Path("/region")


def test_options_are_read_back_as_they_are_written() -> None:
    assert Peer.parse("RXB:W S=127.0.0.1:104") == Peer(
        tier="RXB", ae_title="W S", host="127.0.0.1", port=104
    )
    assert Caller.parse("A=B=RXA") == Caller(ae_title="A=B", trust="RXA")
    assert Source.parse("RXA:PAS|HOSP=RXAW") == Source(
        trust="RXA", name="PAS|HOSP", authority="RXAW"
    )
    for kind, text in (
        (Peer, "CENTRE:WS=host:1"),
        (Caller, "WS=RXA"),
        (Authority, "RXA=RXAW"),
        (Source, "RXA:CT=RXAW"),
    ):
        assert str(kind.parse(text)) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Peer, "RXB"),
        (Peer, "RXB:WS=host:0"),
        (Peer, "RXB:WS=host:70000"),
        (Peer, "RXB:SEVENTEEN LETTERS=host:1"),
        (Caller, "RXA"),
        (Authority, "RXA="),
        (Authority, "RXA=a b"),
        (Source, "RXA=RXAW"),
    ],
)
def test_a_wish_in_another_form_is_refused(
    kind: type[Peer] | type[Caller] | type[Authority] | type[Source], text: str
) -> None:
    with pytest.raises(ConfigurationInvalid):
        kind.parse(text)


@pytest.mark.parametrize("trusts", [(), ("RXA", "RXA"), ("rxa",), ("../x",), ("CENTRE",)])
def test_trusts_have_plain_codes_of_their_own(trusts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationInvalid):
        RegionOptions(DIRECTORY, trusts)


def test_an_option_for_a_trust_that_is_not_there_is_refused() -> None:
    for wish in (
        {"peers": (Peer.parse("RXZ:WS=h:1"),)},
        {"callers": (Caller.parse("WS=RXZ"),)},
        {"authorities": (Authority.parse("RXZ=Z"),)},
        {"sources": (Source.parse("RXA:CT=RXAW"),)},
    ):
        with pytest.raises(ConfigurationInvalid):
            RegionOptions(DIRECTORY, ("RXA",), **wish)


def test_arguments_say_the_same_again() -> None:
    options = RegionOptions(
        DIRECTORY,
        ("RXA", "RXB"),
        peers=(Peer.parse("RXA:WS=h:1"),),
        authorities=(Authority.parse("RXA=RXAW"),),
    )
    assert options.arguments() == (
        *("--dir", "/region", "--trusts", "RXA,RXB"),
        *("--peer", "RXA:WS=h:1", "--authority", "RXA=RXAW"),
    )
