"""A segment that the disk does not give back keeps nothing else from the index."""

from collections.abc import Iterator

import pytest

from archive.errors import StorageFailed
from archive.store.bodies import Body
from archive.store.segment import segment_name
from archive.store.spool import SpoolReader
from tests.intake.house import Cold
from tests.intake.samples import image, sent


def test_a_segment_that_cannot_be_recovered_stops_no_other(cold: Cold) -> None:
    unreadable = cold.directory / "spool" / f"{segment_name(created_ms=1, chance=1)}.open"
    unreadable.mkdir()
    cold.store(sent(image()))
    intake = cold.intake()
    assert intake.once()
    assert cold.answers() == {"Registered": 1}
    with pytest.raises(StorageFailed):
        intake.once()


def test_a_segment_that_cannot_be_read_stops_no_other(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold.store(sent(image("1.2.3.1.1")))
    cold.clock.advance(1)
    cold.store(sent(image("1.2.3.1.2")))
    oldest, bodies = cold.reader.ready()[0], SpoolReader.bodies

    def refusing(reader: SpoolReader, name: str, *, after: int) -> Iterator[Body]:
        if name == oldest:
            raise StorageFailed("The spool's disk refused.")
        return bodies(reader, name, after=after)

    monkeypatch.setattr(SpoolReader, "bodies", refusing)
    intake = cold.intake()
    assert intake.once()
    with pytest.raises(StorageFailed):
        intake.once()
    assert cold.answers() == {"Registered": 1}
    monkeypatch.undo()
    cold.take_in(intake)
    assert cold.answers() == {"Registered": 2}


def test_a_series_that_cannot_be_read_stops_no_other(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    for series in ("1.2.3.1", "1.2.3.2"):
        cold.store(sent(image(f"{series}.1", SeriesInstanceUID=series)))
        cold.clock.advance(1)
        cold.take_in()
    (oldest,) = (row["segment"] for row in cold.rows("instance") if row["series_no"] == 1)
    read = SpoolReader.read

    def refusing(reader: SpoolReader, name: str, **where: int) -> Iterator[bytes]:
        if name == oldest:
            raise StorageFailed("The spool's disk refused.")
        return read(reader, name, **where)

    monkeypatch.setattr(SpoolReader, "read", refusing)
    sealer = cold.sealer()
    cold.clock.advance(60)
    assert sealer.once()
    assert [row["series_no"] for row in cold.rows("pack")] == [2]
    with pytest.raises(StorageFailed):
        sealer.once()
