import re
from collections.abc import Iterator

import pytest

from archive.pages import wording
from archive.pages.kit import HERE


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "less than 1 s"),
        (-5, "less than 1 s"),
        (1_000, "1 s"),
        (75_000, "1 min 15 s"),
        (3_600_000, "1 h"),
        (7_500_000, "2 h 5 min"),
        (90_061_000, "1 d 1 h"),
    ],
)
def test_an_age_has_its_two_largest_units(ms: int, said: str) -> None:
    assert wording.age(1_000_000, 1_000_000 + ms) == said


@pytest.mark.parametrize(
    ("octets", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (2_340_000_000, "2.3 GB")],
)
def test_a_size_has_a_unit_a_person_knows(octets: int, said: str) -> None:
    assert wording.size(octets) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [("20240105", "5 Jan 2024"), ("20241305", "20241305"), ("", ""), ("2024.01.05", "2024.01.05")],
)
def test_a_date_is_written_out_and_what_is_none_stays(value: str, said: str) -> None:
    assert wording.day(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Doe^Archibald^James^Dr", "Doe, Archibald James"),
        ("Yamada^Tarou=山田^太郎", "Yamada, Tarou"),
        ("Doe", "Doe"),
        ("^Ève", "Ève"),
        ("", ""),
    ],
)
def test_a_name_is_family_then_given(value: str, said: str) -> None:
    assert wording.person(value) == said


def test_one_is_not_several() -> None:
    said = [wording.counted(number, "study", "studies") for number in (0, 1, 1234)]
    assert said == ["0 studies", "1 study", "1,234 studies"]


def _schemes() -> Iterator[dict[str, str]]:
    """Yield the colours by name, in light and in dark."""
    text = (HERE / "style.css").read_text(encoding="utf-8")
    for block in re.findall(r":root \{(.*?)\}", text, re.DOTALL):
        yield dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))


def _luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_text_stands_out_from_its_ground_in_light_and_dark() -> None:
    pairs = [
        (text, ground)
        for text in ("ink", "soft", "accent", "alarm")
        for ground in ("sheet", "ground")
    ]
    pairs += [("on-accent", "accent"), ("notice-ink", "notice-ground"), ("ink", "alarm-ground")]
    schemes = list(_schemes())
    assert len(schemes) == 2
    for colours in schemes:
        for text, ground in pairs:
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
