"""NYSIIS against codes that others publish, and how it is held back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_store.patients.phonetics import edits, nysiis, sound_alike

PUBLISHED = """
    BART BAD, BOWMAN BANAN, CARRAWAY CARY, CASSTEVENS CASTAFAN, CATHERINE CATARAN, COSTALES CASTAL,
    DEUTSCH DAT, FRAZIER FRASAR, HEITSCHMIDT HATSNAD, HUNT HAD, HURD HAD, JILES JAL, JOHN JAN,
    JONATHAN JANATAN, KATERINA CATARAN, KATHERINE CATARAN, KNUTH NAT, KOEHN CAN, KUHL CAL,
    MACINTOSH MCANT, MACKIE MCY, MARTINCEVIC MARTANCAFAC, MCKEE MCY, MCKNIGHT MCNAGT,
    MONTGOMERY MANTGANARY, OGATA OGAT, PFEISTER FASTAR, PHILLIPSON FALAPSAN, RAWSON RASAN,
    RICKERT RACAD, SCHOENHOEFT SANAFT, TU T, VASQUEZ VASG, WESTERLUND WASTARLAD, WESTPHAL WASTFAL,
    WORTHY WARTY, YAMADA YANAD
"""


@pytest.mark.parametrize("published", PUBLISHED.split(","))
def test_the_code_is_the_published_one(published: str) -> None:
    name, code = published.split()
    assert nysiis(name) == code


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("smith", "smyth"),
        ("smith", "smythe"),
        ("stephenson", "stevenson"),
        ("clark", "clarke"),
        ("reid", "read"),
        ("meyer", "maier"),
        ("phillips", "philips"),
        ("mueller", "muller"),
        ("khan", "kahn"),
    ],
)
def test_spellings_of_one_sound_are_alike(a: str, b: str) -> None:
    assert sound_alike(a, b)
    assert sound_alike(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("hart", "hunt"),
        ("lee", "lea"),
        ("johnson", "johnston"),
        ("smith", "jones"),
        ("李", "李"),
        ("", ""),
    ],
)
def test_other_names_are_not(a: str, b: str) -> None:
    assert not sound_alike(a, b)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("", "", 0),
        ("", "ab", 2),
        ("khan", "kahn", 1),
        ("smith", "smyth", 1),
        ("abc", "ca", 3),
        ("kitten", "sitting", 3),
    ],
)
def test_edits_are_counted(a: str, b: str, distance: int) -> None:
    assert edits(a, b) == edits(b, a) == distance


@given(st.text(), st.text())
def test_any_two_texts_are_compared_alike_in_both_orders(a: str, b: str) -> None:
    assert sound_alike(a, b) == sound_alike(b, a)
