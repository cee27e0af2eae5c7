"""Person names: as sent (DICOM PN, HL7 XPN), as searched, and as compared between records.

The **match form** serves searching (PS3.4 Section C.2.2.2 leaves case, accent and punctuation of
PN to the archive): folded, without spaces and punctuation, ``^`` and ``=`` kept.
The **family form** and the given names serve identity, where more spellings are one name.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_GROUPS = 3
_HL7_NULL = '""'

_LETTERS_WITHOUT_DECOMPOSITION = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
    }
)
_OPTIONAL_MARKS = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
"""Latin, Greek and Cyrillic accents, Hebrew and Arabic points. The voicing marks of kana and the
vowel signs of Indic scripts are letters to their readers and stay."""

_APOSTROPHES = re.compile(r"[`\u00b4\u02b9\u02bb-\u02bd\u02c8]")
"""What keyboards give for an apostrophe and Unicode counts as a letter or an accent."""

_ASCII_PUNCTUATION = re.compile(r"[^a-z0-9*?]+")
_WILDCARDS = "*?"


@dataclass(frozen=True, slots=True, repr=False)
class PersonName:
    """A name in the five components of PN (PS3.5 Section 6.2.1), with its other two groups.

    Its repr hides it: a repr ends in logs.
    """

    family: str = ""
    given: str = ""
    middle: str = ""
    prefix: str = ""
    suffix: str = ""
    ideographic: str = ""
    """The second component group as sent, components and all."""
    phonetic: str = ""
    """The third component group as sent."""

    @classmethod
    def from_pn(cls, text: str) -> "PersonName":
        """Read a decoded PN value; what is beyond five components or three groups is dropped."""
        groups = [group.strip() for group in text.split("=")]
        alphabetic, ideographic, phonetic, *_ = [*groups, "", "", ""]
        components = [part.strip() for part in alphabetic.split("^")]
        family, given, middle, prefix, suffix, *_ = [*components, "", "", "", "", ""]
        return cls(family, given, middle, prefix, suffix, ideographic, phonetic)

    @classmethod
    def from_xpn(cls, components: Sequence[str]) -> "PersonName":
        """Read the components of an HL7 XPN, unescaped: family, given, further, suffix, prefix.

        Of XPN.1 the first subcomponent counts, the whole family name.
        """
        sent = ["" if part == _HL7_NULL else part.strip() for part in components]
        family, given, further, suffix, prefix, *_ = [*sent, "", "", "", "", ""]
        surname = family.split("&", maxsplit=1)[0].strip()
        return cls(surname, given, middle=further, prefix=prefix, suffix=suffix)

    @property
    def pn(self) -> str:
        """Return the PN value, trailing empty components and groups left out."""
        names = (self.family, self.given, self.middle, self.prefix, self.suffix)
        alphabetic = "^".join(_without_delimiters(name) for name in names).rstrip("^")
        return f"{alphabetic}={self.ideographic}={self.phonetic}".rstrip("=")

    @property
    def is_placeholder(self) -> bool:
        """Tell whether family or given name stands for "we do not know": it is nobody's name."""
        return is_placeholder(self.family) or is_placeholder(self.given)

    def comparable(self) -> "PersonName":
        """Return the name to compare: the ideographic group where no alphabetic one was sent."""
        if self.family or self.given or not self.ideographic:
            return self
        return PersonName.from_pn(self.ideographic)


def _without_delimiters(text: str) -> str:
    return re.sub(r"[\^=\\\x00-\x1f]+", " ", text).strip()


# --- folding --------------------------------------------------------------------------------


def fold(text: str) -> str:
    """Return ``text`` without case, width and accents (Unicode NFKD, full case folding)."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text).casefold()
    bare = _OPTIONAL_MARKS.sub("", unicodedata.normalize("NFKD", apart))
    return unicodedata.normalize("NFKC", bare.translate(_LETTERS_WITHOUT_DECOMPOSITION))


def _counts(character: str) -> bool:
    if character in _WILDCARDS or character.isalnum():
        return True
    return unicodedata.category(character)[0] == "M"


def _squeeze(component: str) -> str:
    if component.isascii():
        return _ASCII_PUNCTUATION.sub("", component.lower())
    return "".join(filter(_counts, fold(_APOSTROPHES.sub("", component))))


def match_form(text: str) -> str:
    """Return a PN value, or a query for one, as the index keeps it.

    Folded; spaces, hyphens, apostrophes and other punctuation left out, so that O'Brien, O’BRIEN
    and O Brien are one; components and groups kept, trailing empty ones left out; ``*`` and ``?``
    stay where they are.
    """
    return "=".join(map(_group_form, text.split("=")[:_GROUPS])).rstrip("=")


def _group_form(group: str) -> str:
    return "^".join(map(_squeeze, group.split("^"))).rstrip("^")


def _punctuated_form(text: str) -> str:
    groups = (" ".join(fold(group).split()).rstrip("^ ") for group in text.split("=")[:_GROUPS])
    return "=".join(groups).rstrip("=")


# --- searching (PS3.4 Section C.2.2.2) ------------------------------------------------------


def matches(pattern: str, value: str) -> bool:
    """Tell whether a PN value matches a query: universal, single value or wildcard matching.

    ``*`` stands for any characters, ``^`` among them, so ``DOE*`` finds every Doe; ``?`` for one.
    Trailing empty components are nothing on either side. A query of one component group may be
    met by any group of the value, one of several groups by the same groups.
    """
    if not pattern.strip(" *^="):
        return True
    return _groups_match(match_form(pattern), match_form(value)) or _groups_match(
        _punctuated_form(pattern), _punctuated_form(value)
    )


def like_patterns(pattern: str) -> tuple[str, ...]:
    r"""Return SQL LIKE patterns (escape ``\``); one at least holds for each match form to find.

    They may let others through: ``matches`` decides. Empty when every value matches.
    """
    form = max(match_form(pattern).split("="), key=len)
    if not form.strip("*^"):
        return ()
    starred = re.sub(r"[*?^]*$", "", form).replace("?", "*")
    like = re.sub(r"[%_\\]", r"\\\g<0>", starred).replace("*", "%")
    return (f"{like}%", f"%={like}%")


def _groups_match(pattern: str, value: str) -> bool:
    wanted, held = pattern.split("="), value.split("=")
    if len(wanted) == 1:
        return any(_group_matches(pattern, group) for group in held)
    aligned = [*held, "", "", ""]
    return all(
        _group_matches(want, group) for want, group in zip(wanted, aligned, strict=False) if want
    )


def _group_matches(pattern: str, group: str) -> bool:
    missing = pattern.count("^") - group.count("^")
    return _glob(pattern, group) or (missing > 0 and _glob(pattern, group + "^" * missing))


def _glob(pattern: str, text: str) -> bool:
    """Match without backtracking beyond the last star: no query can make it slow."""
    at, star, resume = 0, -1, 0
    position = 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume, at = at, position, at + 1
        elif at < len(pattern) and pattern[at] in ("?", text[position]):
            at, position = at + 1, position + 1
        elif star >= 0:
            resume += 1
            at, position = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")


# --- comparing records ----------------------------------------------------------------------

# fmt: off
_PARTICLES = frozenset({
    "o", "mc", "mac", "van", "von", "der", "den", "ter", "ten", "de", "del", "della", "dalla", "di",
    "da", "das", "dos", "du", "la", "le", "el", "al", "ul", "bin", "ibn", "ben", "abu", "st",
})
"""Words of a surname that belong to the one that follows: Mc Donald, van der Berg."""

_PLACEHOLDERS = frozenset({
    "unknown", "unk", "unidentified", "notknown", "nk", "noname", "unnamed", "anonymous", "anon",
    "fnu", "lnu", "trauma", "resus", "majax", "majorincident", "baby", "babyboy", "babygirl",
    "babyof", "infant", "newborn", "neonate", "stillborn", "twin", "triplet", "boy", "girl",
    "male", "female",
})
# fmt: on

_MAC = re.compile(r"^mac(?=\w{3})")
_DIGITS = re.compile(r"\d+")
_BETWEEN_WORDS = re.compile(r"[\s\-\u2010-\u2015]+")
_PADDING_LENGTH = 3


def words(component: str) -> tuple[str, ...]:
    """Return the folded words of one component, parted at spaces and hyphens."""
    return tuple(filter(None, map(_squeeze, _BETWEEN_WORDS.split(component))))


def surnames(family: str) -> tuple[str, ...]:
    """Return the surnames in a family name: Smith-Jones has two, O'Brien and van der Berg one.

    Mac and Mc are one, joined to what follows.
    """
    return tuple(_MAC.sub("mc", surname) for surname in _with_particles(words(family)))


def _with_particles(parts: Sequence[str]) -> Iterator[str]:
    held = ""
    for part in parts:
        held += part
        if part not in _PARTICLES:
            yield held
            held = ""
    if held:
        yield held


def family_form(family: str) -> str:
    """Return a family name for comparison: its surnames as one word."""
    return "".join(surnames(family))


def is_placeholder(component: str) -> bool:
    """Tell whether a component says "we do not know": UNKNOWN, BABY OF, TRAUMA 7, XXX, a dash.

    A real name among them (there are people called Baby) only costs a person's look.
    """
    letters = _DIGITS.sub("", _squeeze(component)).strip(_WILDCARDS)
    if not letters:
        return bool(component.strip())
    if (len(letters) >= _PADDING_LENGTH and len(set(letters)) == 1) or letters in _PLACEHOLDERS:
        return True
    parts = words(_DIGITS.sub("", component))
    return not _PLACEHOLDERS.isdisjoint(parts) or fold(component).lstrip().startswith("b/o")
