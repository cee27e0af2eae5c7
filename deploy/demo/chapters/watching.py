"""What a person sees: a page at each tier, and the life of one study."""

import re
from html import unescape
from http import HTTPStatus

from deploy.demo import who
from deploy.demo.evidence import Evidence, check, check_equal, eventually, evidence
from deploy.demo.stage import Stage
from deploy.demo.web import Web
from deploy.region.options import CENTRE

HTML = "text/html"
WIDTH = 110
"""Characters of a line of a life that are shown."""

SECONDS_TO_SETTLE = 30.0
"""For what came a moment ago to be sealed, replicated and confirmed."""

MILESTONES = (
    (who.HOME, "report received"),
    (who.HOME, "study first seen"),
    (who.HOME, "pack held"),
    (CENTRE, "pack held"),
    (who.HOME, "replicate COMPLETED"),
    (CENTRE, "fetch ordered"),
    (who.NEXT, "pack held"),
    (CENTRE, "fetch order DONE"),
    (who.NEXT, "sent by C-GET"),
    (who.NEXT, "sent by C-MOVE"),
    (who.HOME, "instance REJECTED"),
    (CENTRE, "instance REJECTED"),
    (who.NEXT, "instance REJECTED"),
)
"""What must have happened to the CT, and at which tier."""


def pages_tell(stage: Stage) -> Evidence:
    """Sign in at each tier's page as an operator and read it."""
    wanted = {
        CENTRE: (
            "8 studies of 1 trust",
            "Jobs by state",
            *(f"{trust} {trust}" for trust in who.TRUSTS),
        ),
        who.HOME: ("8 studies", "Everything of this trust is confirmed", "last heard"),
        who.NEXT: ("3 studies", "Jobs by state", "last heard"),
        who.STRANGER: ("No study has come yet", "last heard"),
    }
    lines = []
    for tier in stage.tiers:
        text = eventually(
            lambda tier=tier: page_text(stage, tier, user="operator"),  # type: ignore[misc]
            lambda text, tier=tier: all(words in text for words in wanted[tier]),  # type: ignore[misc]
            expected=f"{wanted[tier]} on the page of {tier}",
            seconds=SECONDS_TO_SETTLE,
            hint="The note of a rejection is an object too: sealed and confirmed as others are.",
        )
        lines.append(f"{tier:<7} {_lead(text)}")
    return evidence("each tier's first page, read without JavaScript, begins:", *lines)


def page_text(stage: Stage, tier: str, *, user: str) -> str:
    """Return the words of a tier's first page as a user sees it."""
    browser = Web(stage.address(tier))
    refused = browser.get("/", accept=HTML)
    check_equal(refused.status, HTTPStatus.UNAUTHORIZED, f"page of {tier} without a token")
    token = stage.region["tokens"][user]
    signed_in = browser.get("/sign-in", {"token": token}, accept=HTML)
    cookie = signed_in.headers.get("set-cookie", "").partition(";")[0]
    check(cookie, expected=f"a session cookie of {tier}", seen=signed_in.status)
    page = browser.get("/", accept=HTML, headers={"Cookie": cookie})
    check_equal(page.status, HTTPStatus.OK, f"status of the page of {tier}")
    html = page.body.decode("utf-8")
    check("<script" not in html, expected="a page without JavaScript", seen="a script")
    return words_of(html)


def words_of(html: str) -> str:
    """Return the words of a page's main part below its heading, in one line."""
    main = html.partition("</h1>")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", main))).strip()


def _lead(text: str) -> str:
    """Return the first two sentences."""
    return ".".join(text.split(".")[:2]) + "."


def life_is_known(stage: Stage) -> Evidence:
    """Trace the generated CT over all tiers, as an operator does on the command line."""
    from deploy.operators.life import life_lines
    from deploy.operators.tiers import open_tiers

    lines = list(life_lines(open_tiers(None, stage.directory), stage.images.ct_study_uid))
    told = [(tier, what, _first(lines, tier, what)) for tier, what in MILESTONES]
    missing = [f"{what} at {tier}" for tier, what, line in told if not line]
    check_equal(missing, [], "milestones missing in the life of the CT", hint="\n".join(lines))
    return evidence(
        f"{len(lines)} events at {len(stage.tiers)} tiers, among them:",
        *(_short(line) for line in sorted(line for _, _, line in told)),
        f"all of them: imagestore trace {stage.images.ct_study_uid} --dir {stage.directory}",
    )


def _short(line: str) -> str:
    """Return a line of a life without its date, and no longer than a terminal is wide."""
    moment = line.partition(" ")[2]
    return moment if len(moment) <= WIDTH else f"{moment[: WIDTH - 3]}..."


def _first(lines: list[str], tier: str, what: str) -> str:
    return next((line for line in lines if f"  {tier} " in line and f" {what} " in line), "")
