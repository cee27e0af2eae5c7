"""``layout.json`` and ``origin.json``: fixed octets in, the same values out, nothing else taken."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.errors import PackMalformed
from archive.store.canonical import encode
from archive.store.layout import Extent, Layout, Placement
from archive.store.origin import Arrival, Origin
from archive.words.identity import Issuer

LAYOUT = Layout(
    content_id=b"\x11" * 32,
    metadata=Extent(1536, 50, b"\x22" * 32),
    origin=Extent(2560, 70, b"\x33" * 32),
    placements=(Placement(3584, 900, 332, "verbatim", b"\x44" * 32),),
)
GOLDEN_LAYOUT = (
    f'{{"content_id":"{"11" * 32}",'
    f'"members":[{{"checksum":"{"44" * 32}","codec":"verbatim","data_set_offset":332,'
    f'"length":900,"offset":3584}}],'
    f'"metadata":{{"checksum":"{"22" * 32}","length":50,"offset":1536}},'
    f'"origin":{{"checksum":"{"33" * 32}","length":70,"offset":2560}},"version":1}}'
).encode()

ORIGIN = Origin(
    custodian="RXA",
    site="",
    node="RXA-1",
    authority=Issuer(organisation="RXA", namespace="RXAW"),
    mrn="0012é",
    registered_day="2024-02-29",
    arrivals=(Arrival(calling_ae="CT1", called_ae="RXA", arrived_ms=1709209815123),),
)
GOLDEN_ORIGIN = (
    '{"arrivals":[{"arrived_ms":1709209815123,"called_ae":"RXA","calling_ae":"CT1"}],'
    '"authority":{"namespace":"RXAW","organisation":"RXA"},"custodian":"RXA","mrn":"0012é",'
    '"node":"RXA-1","registered_day":"2024-02-29","site":"","version":1}'
).encode()

Change = Callable[[dict[str, object]], object]


def test_a_layout_has_the_octets_it_has_always_had() -> None:
    assert LAYOUT.canonical() == GOLDEN_LAYOUT
    assert Layout.parse(GOLDEN_LAYOUT) == LAYOUT
    assert Layout.unpacked(LAYOUT.packed()) == LAYOUT


def test_an_origin_has_the_octets_it_has_always_had() -> None:
    assert ORIGIN.canonical() == GOLDEN_ORIGIN
    assert Origin.parse(GOLDEN_ORIGIN) == ORIGIN


def test_an_origin_without_authority_comes_back() -> None:
    origin = replace(ORIGIN, authority=None, mrn="")
    assert b'"authority":null' in origin.canonical()
    assert Origin.parse(origin.canonical()) == origin


def test_the_patient_number_is_not_in_what_a_log_may_show() -> None:
    assert "0012" not in repr(ORIGIN)


numbers = st.integers(0, 2**53 - 1)
digests = st.binary(min_size=32, max_size=32)
extents = st.builds(Extent, numbers, numbers, digests)
placements = st.builds(Placement, numbers, numbers, numbers, st.just("verbatim"), digests)


@given(st.builds(Layout, digests, extents, extents, st.lists(placements).map(tuple)))
def test_any_layout_comes_back_from_both_forms(layout: Layout) -> None:
    assert Layout.parse(layout.canonical()) == layout
    assert Layout.unpacked(layout.packed()) == layout


LAYOUT_CHANGES: list[Change] = [
    lambda m: m.update(version=2),
    lambda m: m.update(extra=0),
    lambda m: m.update(metadata=[1, 2]),
    lambda m: m.update(content_id="11"),
    lambda m: m["members"][0].update(codec="blosc9"),  # type: ignore[index]
    lambda m: m["members"][0].update(offset=-1),  # type: ignore[index]
    lambda m: m["members"][0].pop("checksum"),  # type: ignore[index]
]
ORIGIN_CHANGES: list[Change] = [
    lambda m: m.update(version=2),
    lambda m: m.update(custodian=None),
    lambda m: m.update(authority="RXA"),
    lambda m: m.update(registered_day="yesterday"),
    lambda m: m.update(registered_day="2024-02-29\n"),
    lambda m: m["arrivals"][0].update(arrived_ms="now"),  # type: ignore[index]
    lambda m: m["arrivals"][0].update(arrived_ms=True),  # type: ignore[index]
]


def changed(octets: bytes, change: Change) -> bytes:
    value = json.loads(octets)
    change(value)
    return encode(value)


@pytest.mark.parametrize("change", LAYOUT_CHANGES)
def test_another_layout_is_refused(change: Change) -> None:
    with pytest.raises(PackMalformed):
        Layout.parse(changed(GOLDEN_LAYOUT, change))


@pytest.mark.parametrize("change", ORIGIN_CHANGES)
def test_another_origin_is_refused(change: Change) -> None:
    with pytest.raises(PackMalformed):
        Origin.parse(changed(GOLDEN_ORIGIN, change))


@given(st.binary(max_size=200))
def test_no_octets_make_reading_fail_otherwise(octets: bytes) -> None:
    for read in (Layout.parse, Layout.unpacked, Origin.parse):
        with pytest.raises(PackMalformed):
            read(octets)


def test_a_packed_row_that_is_torn_or_has_something_behind_it_is_refused() -> None:
    octets = LAYOUT.packed()
    for wrong in (octets[:-1], octets + b"x", b"\x02" + octets[1:], octets[:40]):
        with pytest.raises(PackMalformed):
            Layout.unpacked(wrong)
