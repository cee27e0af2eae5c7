"""What waits for a person at a tier, as lines; and that somebody has seen to it."""

from collections.abc import Iterator

from archive.clock import from_milliseconds, milliseconds
from archive.index.findings import Finding, HeldObject, findings, held_objects, settle
from deploy.operators.tiers import Tier

OPERATOR = "operator"


def finding_lines(tier: Tier, *, limit: int, settled: bool) -> Iterator[str]:
    """Yield at most ``limit`` lines, newest first: time, tier, number, code, sentence, subject."""
    with tier.index.reading() as conn:
        found: list[Finding | HeldObject] = [
            *findings(conn, limit=limit, settled=settled),
            *held_objects(conn, limit=limit, settled=settled),
        ]
    for each in sorted(found, key=lambda one: one.at_ms, reverse=True)[:limit]:
        yield _plain(_line(tier.name, each))


def resolve(tier: Tier, key: str) -> None:
    """Note that the operator has seen to a finding or a held object.

    Raises:
        NotFound: the tier has none of that number.
        StateMoved: it is settled already.
    """
    with tier.index.writing() as conn:
        settle(conn, key, actor=OPERATOR, at_ms=milliseconds(tier.index.clock.now()))


def _line(tier: str, each: Finding | HeldObject) -> str:
    code, subject = _code_and_subject(each)
    at = from_milliseconds(each.at_ms).strftime("%Y-%m-%d %H:%M:%S")
    done = "" if each.settled_ms is None else "  (resolved)"
    return f"{at}Z  {tier:<8} {each.key:>9}  {code:<24} {each.sentence}  {subject}{done}"


def _code_and_subject(each: Finding | HeldObject) -> tuple[str, str]:
    if isinstance(each, Finding):
        return each.code, each.subject
    sent = f"from {each.calling_ae or 'nobody'} as {each.sop_instance_uid or 'no UID'}"
    return each.reason, f"held/{each.sha256.hex()}, {sent}, {each.size} octets"


def _plain(line: str) -> str:
    """Return a line that no name of a peer can turn into commands of a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in line)
