"""The query component of a search (PS3.18 Sections 8.3.4 and 10.6.1.2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from archive.errors import InvalidQuery
from archive.index.matching import MATCHED
from archive.reader import Level

_ALL = "all"
_UNSUPPORTED: Mapping[str, str] = {
    "fuzzymatching": "Only literal matching has been performed.",
    "emptyvaluematching": "Empty Value Matching has not been performed.",
    "multiplevaluematching": "Multiple Value Matching has not been performed.",
}
"""Ways of matching that are not ours, with the Standard's sentence for each."""
_OURS = frozenset({"accept", "charset", "includefield", "limit", "offset", *_UNSUPPORTED})
_TAG_DIGITS = 8
_NUMBER_LIMIT = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Query:
    """What a search asks for."""

    keys: Mapping[str, str]
    """By keyword; a list of UIDs is parted by backslash."""
    fields: frozenset[str] | None
    """Named beside the keys; None is everything."""
    limit: int | None
    offset: int
    warnings: tuple[str, ...]
    """What the answer does not do, a sentence each."""

    def __repr__(self) -> str:
        """Hide the values: a repr ends in logs."""
        return f"Query(keys={sorted(self.keys)!r})"


def parse_query(level: Level, parameters: Iterable[tuple[str, str]]) -> Query:
    """Return the query in decoded parameters, in the order sent.

    Raises:
        InvalidQuery: a parameter that is neither an attribute nor one of PS3.18 Section 8.3.4, an
            attribute named twice (but for lists of UIDs), or a number that is none.
    """
    by_name: dict[str, list[str]] = {}
    for name, value in parameters:
        by_name.setdefault(name, []).append(value)
    keys = _keys({name: values for name, values in by_name.items() if name not in _OURS})
    fields = _fields(by_name.get("includefield", []))
    return Query(
        keys={keyword: text for keyword, text in keys.items() if "." not in keyword},
        fields=None if fields is None else fields | keys.keys(),
        limit=_number(by_name, "limit"),
        offset=_number(by_name, "offset") or 0,
        warnings=(*_ways_not_ours(by_name), *_not_matched(level, keys)),
    )


def _keys(parameters: Mapping[str, list[str]]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for name, values in parameters.items():
        keyword = _attribute(name)
        if keyword in keys or (len(values) > 1 and not keyword.endswith("UID")):
            raise InvalidQuery("An attribute is named more than once.", keyword=keyword)
        keys[keyword] = "\\".join(values)
    return keys


def _attribute(name: str) -> str:
    """Return the keywords of an attribute, or of a path into sequences, parted by full stops."""
    keywords = [_keyword(part) for part in name.split(".")]
    if not all(keywords):
        raise InvalidQuery("A parameter is neither a known attribute nor a known option.")
    return ".".join(keywords)


def _keyword(part: str) -> str:
    if tag_for_keyword(part) is not None:
        return part
    if len(part) != _TAG_DIGITS:
        return ""
    try:
        return keyword_for_tag(int(part, 16))
    except ValueError:
        return ""


def _fields(values: Iterable[str]) -> frozenset[str] | None:
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    if _ALL in names:
        return None
    return frozenset(_attribute(name) for name in names)


def _number(parameters: Mapping[str, list[str]], name: str) -> int | None:
    values = parameters.get(name)
    if values is None:
        return None
    if len(values) > 1 or not (values[0].isascii() and values[0].isdecimal()):
        raise InvalidQuery("A limit or offset is one unsigned number.", parameter=name)
    return min(int(values[0][:12]), _NUMBER_LIMIT)


def _ways_not_ours(parameters: Mapping[str, list[str]]) -> Iterable[str]:
    for name, sentence in _UNSUPPORTED.items():
        values = [value.strip().lower() for value in parameters.get(name, [])]
        if any(value not in ("true", "false") for value in values):
            raise InvalidQuery("The parameter is true or false.", parameter=name)
        if "true" in values:
            yield f"The {name} parameter is not supported. {sentence}"


def _not_matched(level: Level, keys: Mapping[str, str]) -> Iterable[str]:
    for keyword, text in keys.items():
        if keyword not in MATCHED[level] and text.strip() not in ("", "*"):
            yield f"{keyword} is not matched at this level and restricted nothing."
