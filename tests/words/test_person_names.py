"""Person names as sent, as searched, as compared."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.words.person_names import (
    PersonName,
    family_form,
    fold,
    is_placeholder,
    like_patterns,
    match_form,
    matches,
    surnames,
)

# --- as sent --------------------------------------------------------------------------------


def test_a_pn_is_read_by_components_and_groups() -> None:
    name = PersonName.from_pn("Yamada^Tarou^^Dr^III=山田^太郎=やまだ^たろう")
    assert (name.family, name.given, name.middle) == ("Yamada", "Tarou", "")
    assert (name.prefix, name.suffix) == ("Dr", "III")
    assert (name.ideographic, name.phonetic) == ("山田^太郎", "やまだ^たろう")


def test_an_xpn_has_suffix_before_prefix_and_subcomponents_in_the_family_name() -> None:
    name = PersonName.from_xpn(["Berg&van den&Berg", "Anna", "Maria", "Jr", "Mrs", "PhD", "L"])
    assert name == PersonName("Berg", "Anna", "Maria", "Mrs", "Jr")


def test_an_hl7_null_component_is_empty() -> None:
    assert PersonName.from_xpn(["Doe", '""']) == PersonName("Doe")


@pytest.mark.parametrize(
    "text", ["", "Doe", "Doe^Archibald", "^Archibald", "a^b^c^d^e", "=山田^太郎", "A^B==C^D"]
)
def test_a_pn_is_written_as_it_was_read(text: str) -> None:
    assert PersonName.from_pn(text).pn == text


def test_trailing_empty_components_are_not_written() -> None:
    assert PersonName.from_pn("Doe^John^^^").pn == "Doe^John"


def test_no_component_can_write_a_delimiter() -> None:
    assert PersonName.from_xpn(["Doe^x=y\\z", "Jo\nhn"]).pn == "Doe x y z^Jo hn"


def test_a_name_is_hidden_in_its_repr() -> None:
    assert "Doe" not in repr(PersonName.from_pn("Doe^John"))


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    PersonName.from_pn(text)
    PersonName.from_xpn(text.split("^"))
    match_form(text)
    is_placeholder(text)


# --- match forms ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Doe^Archibald", "doe^archibald"),
        ("DOE^JOHN^^^", "doe^john"),
        ("Müller^José", "muller^jose"),
        ("Mu\u0308ller^Jose\u0301", "muller^jose"),
        ("Łukasz^Øystein", "lukasz^oystein"),
        ("Straße^Ægir", "strasse^aegir"),
        ("İnönü^Işıl", "inonu^isil"),
        ("O'Brien^Mary-Ann", "obrien^maryann"),
        ("O’Brien^Mary Ann", "obrien^maryann"),
        ("O´Brien^Mary‐Ann", "obrien^maryann"),
        ("Smith-Jones^J.", "smithjones^j"),
        ("ＤＯＥ^ＪＯＨＮ", "doe^john"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "yamada^tarou=山田^太郎=やまだ^たろう"),
        ("=がぎ^ぐ", "=がぎ^ぐ"),
        ("=김^희중", "=김^희중"),
        ("Йорданов^Фёдор", "иорданов^федор"),
    ],
)
def test_a_match_form_is_folded_and_keeps_its_components(text: str, form: str) -> None:
    assert match_form(text) == form


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


# --- searching (PS3.4 C.2.2.2) --------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("", "Doe^John"),
        ("*", ""),
        ("^", "Doe^John"),
        ("DOE*", "Doe^Archibald"),
        ("DOE^*", "Doe^Archibald"),
        ("doe^a*", "DOE^Archibald"),
        ("DOE^ARCHIBALD", "Doe^Archibald^^^"),
        ("DOE^ARCHIBALD^^", "Doe^Archibald"),
        ("DOE^J*", "Doe^John^Q^^III"),
        ("DOE^*", "Doe"),
        ("D?E*", "Doe^John"),
        ("*JOHN*", "Doe^John"),
        ("*^JOHN", "Doe^John"),
        ("müller*", "MUELLER^X=MULLER^Y"),
        ("MULLER*", "Müller^X"),
        ("O'BRIEN*", "OBrien^Pat"),
        ("OBRIEN*", "O'Brien^Pat"),
        ("O BRIEN^PAT", "O’Brien^Pat"),
        ("O?BRIEN*", "O'Brien^Pat"),
        ("SMITH JONES^*", "Smith-Jones^Eve"),
        ("SMITH?JONES^*", "Smith-Jones^Eve"),
        ("山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("Yamada*=山田*", "Yamada^Tarou=山田^太郎"),
        ("=山田*", "Yamada^Tarou=山田^太郎"),
    ],
)
def test_a_query_finds(pattern: str, value: str) -> None:
    assert matches(pattern, value)
    assert like_finds(pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("DOE", "Doe^John"),
        ("DOE^JOHN", "Doe^John^Q"),
        ("DOE*", "Doherty^John"),
        ("DOE^A*", "Doe^Peter"),
        ("DO?", "Do"),
        ("?", ""),
        ("D?E", "Dooe"),
        ("DOE^JOHN", "Doejohn"),
        ("[DX]OE*", "Doe^X"),
        ("D.E*", "Doe^J"),
        ("Yamada*=鈴木*", "Yamada^Tarou=山田^太郎"),
        ("か*", "が"),
    ],
)
def test_a_query_does_not_find(pattern: str, value: str) -> None:
    assert not matches(pattern, value)


def like_finds(pattern: str, value: str) -> bool:
    """Answer as SQL does for ``match_form LIKE … ESCAPE '\\'``."""
    likes = like_patterns(pattern)
    tokens = {"%": ".*", "_": "."}
    return not likes or any(
        re.fullmatch(
            "".join(
                tokens.get(part) or re.escape(part.removeprefix("\\"))
                for part in re.findall(r"\\.|.", like, re.DOTALL)
            ),
            match_form(value),
            re.DOTALL,
        )
        for like in likes
    )


short_names = st.text("ab^=*?-' ü%_\\", max_size=8)


@given(short_names, short_names)
def test_the_patterns_for_sql_let_every_match_through(pattern: str, value: str) -> None:
    if matches(pattern, value):
        assert like_finds(pattern, value)


@given(st.text("abc^", max_size=6), st.text("abc^", max_size=6))
def test_a_prefix_with_a_star_finds_every_name_that_begins_so(start: str, rest: str) -> None:
    assert matches(f"{start}*", start + rest)


def test_a_query_of_many_stars_ends() -> None:
    assert not matches("*a" * 32 + "b", "a" * 64)  # backtracking would take years


# --- comparing ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("O'Brien", "OBRIEN"),
        ("O Brien", "O’Brien"),
        ("McDonald", "MacDonald"),
        ("Mc Donald", "MAC DONALD"),
        ("van der Berg", "Vanderberg"),
        ("Smith-Jones", "SMITH JONES"),
        ("Muñoz", "MUNOZ"),
    ],
)
def test_spellings_of_one_surname_have_one_family_form(a: str, b: str) -> None:
    assert family_form(a) == family_form(b)


def test_short_names_that_begin_with_mac_stay_themselves() -> None:
    assert family_form("Mace") != family_form("Mce")
    assert family_form("Mac") == "mac"


def test_particles_are_no_surnames_by_themselves() -> None:
    assert surnames("De Silva") == ("desilva",)
    assert surnames("García López") == ("garcia", "lopez")
    assert surnames("Smith-O'Brien") == ("smith", "obrien")


@pytest.mark.parametrize(
    "text",
    [
        "UNKNOWN",
        "Unknown Male",
        "Unknown123",
        "BABY OF SMITH",
        "Baby",
        "SMITH BABY",
        "B/O Smith",
        "TRAUMA",
        "Trauma 7",
        "Twin 1",
        "TWIN2",
        "Not Known",
        "No Name",
        "XXX",
        "-",
        "??",
        "0000",
        "Infant-Girl",
    ],
)
def test_a_placeholder_is_nobodys_name(text: str) -> None:
    assert is_placeholder(text)
    assert PersonName(text, "John").is_placeholder
    assert PersonName("Smith", text).is_placeholder


@pytest.mark.parametrize("text", ["", "Doe", "Babydale", "Unwin", "Twining", "Ng", "李", "Aa", "J"])
def test_a_name_is_no_placeholder(text: str) -> None:
    assert not is_placeholder(text)


def test_an_ideographic_name_is_compared_where_no_other_was_sent() -> None:
    name = PersonName.from_pn("=山田^太郎").comparable()
    assert (name.family, name.given) == ("山田", "太郎")
