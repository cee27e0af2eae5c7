"""Whether two surnames sound alike: NYSIIS, held back by a distance between the spellings."""

import re

_BEGINNINGS = (
    ("MAC", "MCC"),
    ("KN", "NN"),
    ("K", "C"),
    ("PH", "FF"),
    ("PF", "FF"),
    ("SCH", "SSS"),
)
_ENDINGS = (
    ("EE", "Y"),
    ("IE", "Y"),
    ("DT", "D"),
    ("RT", "D"),
    ("RD", "D"),
    ("NT", "D"),
    ("ND", "D"),
)
_INSIDE = (
    ("EV", "AF"),
    ("A", "A"),
    ("E", "A"),
    ("I", "A"),
    ("O", "A"),
    ("U", "A"),
    ("Q", "G"),
    ("Z", "S"),
    ("M", "N"),
    ("KN", "NN"),
    ("K", "C"),
    ("SCH", "SSS"),
    ("PH", "FF"),
)
_VOWELS = frozenset("AEIOU")
_LATIN = re.compile(r"[A-Z]+")

_SHORTEST_CODE = 3
"""Codes of one or two letters stand for too many surnames: Lee, Lea, Leo."""


def nysiis(name: str) -> str:
    """Return the NYSIIS code of a surname of Latin letters, in full length; "" for others.

    R. L. Taft, Name Search Techniques, New York State Identification and Intelligence System,
    Special Report 1, Albany 1970.
    """
    if not _LATIN.fullmatch(name.upper()):
        return ""
    letters = _with_ending(_with_beginning(name.upper()))
    return letters[0] + _without_tail(_inside(letters), first=letters[0])


def _with_beginning(letters: str) -> str:
    for sent, coded in _BEGINNINGS:
        if letters.startswith(sent):
            return coded + letters[len(sent) :]
    return letters


def _with_ending(letters: str) -> str:
    for sent, coded in _ENDINGS:
        if letters.endswith(sent):
            return letters[: -len(sent)] + coded
    return letters


def _inside(letters: str) -> str:
    """Code what follows the first letter; each step sees what the one before has written."""
    at = 1
    while at < len(letters):
        coded = _step(letters, at)
        letters = letters[:at] + coded + letters[at + len(coded) :]
        at += len(coded)
    return letters[1:]


def _step(letters: str, at: int) -> str:
    for sent, coded in _INSIDE:
        if letters.startswith(sent, at):
            return coded
    before, after = letters[at - 1], letters[at + 1 : at + 2]
    silent_h = letters[at] == "H" and not (before in _VOWELS and after in _VOWELS)
    silent_w = letters[at] == "W" and before in _VOWELS
    return before if silent_h or silent_w else letters[at]


def _without_tail(coded: str, *, first: str) -> str:
    collapsed = re.sub(r"(.)\1+", r"\1", first + coded)[1:]
    stem = collapsed.removesuffix("S")
    return stem[:-2] + "Y" if stem.endswith("AY") else stem.removesuffix("A")


def sound_alike(a: str, b: str) -> bool:
    """Tell whether two family forms (folded, one word) are spellings of one sound.

    Y and I are one (Smyth). NYSIIS drops every vowel and joins Hart with Hunt, so the spellings
    must lie near each other too: one edit in every three letters. A match says little by itself;
    the rules ask for number, birth date, sex and given name beside it.
    """
    one, other = a.replace("y", "i"), b.replace("y", "i")
    code = nysiis(one)
    if len(code) < _SHORTEST_CODE or code != nysiis(other):
        return False
    return edits(one, other) <= max(len(one), len(other)) // 3


def edits(a: str, b: str) -> int:
    """Return the letters to insert, drop, change or swap with their neighbour to get from a to b.

    The optimal string alignment distance.
    """
    above: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        earlier, above, row = above, row, [i]
        for j, right in enumerate(b, start=1):
            cheapest = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (left != right))
            if i > 1 and j > 1 and (left, a[i - 2]) == (b[j - 2], right):
                cheapest = min(cheapest, earlier[j - 2] + 1)
            row.append(cheapest)
    return row[-1]
