"""Labelled pairs of records, by the row of the decision table that must judge them."""

from archive.words.nhs import NhsStatus
from central_store.patients.rules import Outcome, Row
from tests.patients.records import TWO, Changes

Case = tuple[str, Changes, Changes, Outcome, Row]

ROW_VERIFIED: list[Case] = [
    ("all equal", {}, {}, Outcome.CONFIRMED, Row.VERIFIED),
    ("case and accents", {"family": "SMÎTH"}, {}, Outcome.CONFIRMED, Row.VERIFIED),
    ("initial", {"given": "E"}, {}, Outcome.CONFIRMED, Row.VERIFIED),
    ("initial with a dot", {"given": "E."}, {}, Outcome.CONFIRMED, Row.VERIFIED),
    ("two initials", {"given": "E"}, {"given": "E"}, Outcome.CONFIRMED, Row.VERIFIED),
    ("short form", {"given": "Rob"}, {"given": "Robert"}, Outcome.CONFIRMED, Row.VERIFIED),
    ("spelling", {"given": "Sara"}, {"given": "Sarah"}, Outcome.CONFIRMED, Row.VERIFIED),
    ("middle left out", {"middle": "Rose"}, {}, Outcome.CONFIRMED, Row.VERIFIED),
    (
        "middle inside given",
        {"given": "Emma Rose"},
        {"middle": "R"},
        Outcome.CONFIRMED,
        Row.VERIFIED,
    ),
    (
        "one of two middles left out",
        {"middle": "Rose Kate"},
        {"middle": "Kate"},
        Outcome.CONFIRMED,
        Row.VERIFIED,
    ),
    ("phonetic family", {"family": "Smyth"}, {}, Outcome.CONFIRMED, Row.VERIFIED),
    (
        "known alias",
        {"family": "Jones", "aliases": ("Smith",)},
        {},
        Outcome.CONFIRMED,
        Row.VERIFIED,
    ),
    ("Mac", {"family": "MacDonald"}, {"family": "Mc Donald"}, Outcome.CONFIRMED, Row.VERIFIED),
    (
        "surnames in another order",
        {"family": "Garcia Lopez"},
        {"family": "López García"},
        Outcome.CONFIRMED,
        Row.VERIFIED,
    ),
    ("time after the date", {"birth_date": "197004121030"}, {}, Outcome.CONFIRMED, Row.VERIFIED),
    ("dashes in the date", {"birth_date": "1970-04-12"}, {}, Outcome.CONFIRMED, Row.VERIFIED),
    ("NHS sex code", {"sex": "2"}, {}, Outcome.CONFIRMED, Row.VERIFIED),
    ("another postcode", {"postcode": "LS9 7TF"}, {}, Outcome.CONFIRMED, Row.VERIFIED),
]

ROW_MARRIAGE: list[Case] = [
    ("other family", {"family": "Patel"}, {}, Outcome.CONFIRMED_NOTED, Row.MARRIAGE),
    ("double name", {"family": "Smith-Patel"}, {}, Outcome.CONFIRMED_NOTED, Row.MARRIAGE),
    (
        "sounds alike by code only",
        {"family": "Hart"},
        {"family": "Hunt"},
        Outcome.CONFIRMED_NOTED,
        Row.MARRIAGE,
    ),
    (
        "an initial is not an equal given name",
        {"family": "Patel", "given": "E"},
        {},
        Outcome.SUGGESTION,
        Row.NUMBER_ALONE,
    ),
    (
        "two initials are not either",
        {"family": "Patel", "given": "E"},
        {"given": "E"},
        Outcome.SUGGESTION,
        Row.NUMBER_ALONE,
    ),
    (
        "unknown sex",
        {"family": "Patel", "sex": ""},
        {},
        Outcome.SUGGESTION,
        Row.NUMBER_ALONE,
    ),
    ("other sex", {"family": "Patel", "sex": "M"}, {}, Outcome.SUGGESTION, Row.NUMBER_ALONE),
]

ROW_SLIP: list[Case] = [
    ("one digit", {"birth_date": "19700413"}, {}, Outcome.PROVISIONAL, Row.BIRTH_DATE_SLIP),
    ("day and month", {"birth_date": "19701204"}, {}, Outcome.PROVISIONAL, Row.BIRTH_DATE_SLIP),
    (
        "a swap that is no date",
        {"birth_date": "19702504"},
        {"birth_date": "19700425"},
        Outcome.PROVISIONAL,
        Row.BIRTH_DATE_SLIP,
    ),
    (
        "family only sounds alike",
        {"birth_date": "19700413", "family": "Smyth"},
        {},
        Outcome.QUARANTINED,
        Row.WRONG_NUMBER,
    ),
    (
        "given contradicts",
        {"birth_date": "19700413", "given": "Anna"},
        {},
        Outcome.QUARANTINED,
        Row.WRONG_NUMBER,
    ),
    (
        "not verified",
        {"birth_date": "19700413", "status": "02"},
        {},
        Outcome.QUARANTINED,
        Row.WRONG_NUMBER,
    ),
    (
        "sex unknown",
        {"birth_date": "19700413", "sex": "U"},
        {},
        Outcome.QUARANTINED,
        Row.WRONG_NUMBER,
    ),
    (
        "placeholder name",
        {"birth_date": "19700413", "given": "Baby"},
        {},
        Outcome.QUARANTINED,
        Row.WRONG_NUMBER,
    ),
]

ROW_WRONG_NUMBER: list[Case] = [
    ("two digits", {"birth_date": "19700423"}, {}, Outcome.QUARANTINED, Row.WRONG_NUMBER),
    ("mother and baby", {"birth_date": "20240101"}, {}, Outcome.QUARANTINED, Row.WRONG_NUMBER),
    ("another year only", {"birth_date": "1985"}, {}, Outcome.QUARANTINED, Row.WRONG_NUMBER),
    ("another month", {"birth_date": "197005"}, {}, Outcome.QUARANTINED, Row.WRONG_NUMBER),
    *(
        (
            f"status {status}",
            Changes(birth_date="19850101", status=status),
            Changes(),
            Outcome.QUARANTINED,
            row,
        )
        for status in NhsStatus
        for row in [Row.NUMBER_IN_CONFLICT if status == "05" else Row.WRONG_NUMBER]
    ),
    (
        "with other names and sex",
        {"birth_date": "19850101", "family": "Patel", "given": "Ravi", "sex": "M"},
        {},
        Outcome.QUARANTINED,
        Row.WRONG_NUMBER,
    ),
]

ROW_TWINS: list[Case] = [
    ("given names", {"given": "Anna"}, {}, Outcome.QUARANTINED, Row.TWINS),
    ("given names of one initial", {"given": "Ella"}, {}, Outcome.QUARANTINED, Row.TWINS),
    (
        "given names of one sound",
        {"given": "Tim"},
        {"given": "Tom"},
        Outcome.QUARANTINED,
        Row.TWINS,
    ),
    ("almost one name", {"given": "Ann"}, {"given": "Anna"}, Outcome.QUARANTINED, Row.TWINS),
    (
        "second words of given",
        {"given": "Mary Ann"},
        {"given": "Mary Jane"},
        Outcome.QUARANTINED,
        Row.TWINS,
    ),
    ("middle names", {"middle": "Rose"}, {"middle": "Kate"}, Outcome.QUARANTINED, Row.TWINS),
    ("initials", {"given": "E"}, {"given": "A"}, Outcome.QUARANTINED, Row.TWINS),
    ("sex", {"sex": "M"}, {}, Outcome.QUARANTINED, Row.TWINS),
    (
        "sex, and a name not given yet",
        {"sex": "M", "given": "Baby"},
        {},
        Outcome.QUARANTINED,
        Row.TWINS,
    ),
    (
        "a family name that sounds alike",
        {"given": "Anna", "family": "Smyth"},
        {},
        Outcome.QUARANTINED,
        Row.TWINS,
    ),
    (
        "a shared surname",
        {"given": "Anna", "family": "Smith-Jones"},
        {},
        Outcome.QUARANTINED,
        Row.TWINS,
    ),
    *(
        (
            f"status {status}",
            Changes(given="Anna", status=status),
            Changes(),
            Outcome.QUARANTINED,
            row,
        )
        for status in NhsStatus
        for row in [Row.NUMBER_IN_CONFLICT if status == "05" else Row.TWINS]
    ),
]

ROW_UNVERIFIED: list[Case] = [
    *(
        (f"status {status}", Changes(status=status), Changes(), Outcome.PROVISIONAL, Row.UNVERIFIED)
        for status in ("02", "03", "08")
    ),
    ("both", {"status": "02"}, {"status": "03"}, Outcome.PROVISIONAL, Row.UNVERIFIED),
    ("initial", {"status": "02", "given": "E"}, {}, Outcome.PROVISIONAL, Row.UNVERIFIED),
    (
        "phonetic is not equal",
        {"status": "02", "family": "Smyth"},
        {},
        Outcome.SUGGESTION,
        Row.NUMBER_ALONE,
    ),
    ("other family", {"status": "02", "family": "Patel"}, {}, Outcome.SUGGESTION, Row.NUMBER_ALONE),
    ("sex unknown", {"status": "02", "sex": ""}, {}, Outcome.SUGGESTION, Row.NUMBER_ALONE),
    ("04 is for a person", {"status": "04"}, {}, Outcome.SUGGESTION, Row.TRACE_FAILED),
    ("05 is in conflict", {"status": "05"}, {}, Outcome.QUARANTINED, Row.NUMBER_IN_CONFLICT),
    ("06 waits", {"status": "06"}, {}, Outcome.WAIT, Row.TRACE_IN_PROGRESS),
    ("07 is for a person", {"status": "07"}, {}, Outcome.SUGGESTION, Row.NUMBER_NOT_EXPECTED),
    (
        "05 before 04",
        {"status": "05"},
        {"status": "04"},
        Outcome.QUARANTINED,
        Row.NUMBER_IN_CONFLICT,
    ),
    ("04 before 06", {"status": "06"}, {"status": "04"}, Outcome.SUGGESTION, Row.TRACE_FAILED),
    ("06 before 02", {"status": "06"}, {"status": "02"}, Outcome.WAIT, Row.TRACE_IN_PROGRESS),
    (
        "a baby's initial is too little",
        {"status": "08", "given": "E"},
        {},
        Outcome.SUGGESTION,
        Row.BABY,
    ),
    (
        "a baby without a name",
        {"status": "08", "given": "Baby"},
        {"status": "08"},
        Outcome.SUGGESTION,
        Row.PLACEHOLDER_NAME,
    ),
]

ROW_UNNAMED: list[Case] = [
    (
        "other family and given",
        {"family": "Patel", "given": "Ravi"},
        {},
        Outcome.SUGGESTION,
        Row.OTHER_NAMES,
    ),
    *(
        (
            f"birth date {sent!r}",
            Changes(birth_date=sent),
            Changes(),
            Outcome.SUGGESTION,
            Row.BIRTH_DATE_MISSING,
        )
        for sent in ("", "1970", "197004", "19700400", "19000101", "1900", "00000000", "unknown")
    ),
    (
        "two placeholder dates",
        {"birth_date": "19000101"},
        {"birth_date": "19000101"},
        Outcome.SUGGESTION,
        Row.BIRTH_DATE_MISSING,
    ),
    (
        "two equal parts of dates",
        {"birth_date": "1970"},
        {"birth_date": "1970"},
        Outcome.SUGGESTION,
        Row.BIRTH_DATE_MISSING,
    ),
    (
        "two equal texts that are no date",
        {"birth_date": "19700231"},
        {"birth_date": "19700231"},
        Outcome.SUGGESTION,
        Row.BIRTH_DATE_MISSING,
    ),
    *(
        (
            f"name {family}",
            Changes(family=family),
            Changes(family=family),
            Outcome.SUGGESTION,
            Row.PLACEHOLDER_NAME,
        )
        for family in ("UNKNOWN", "BABY OF SMITH", "TRAUMA 4", "XXX")
    ),
    ("no given name", {"given": ""}, {}, Outcome.SUGGESTION, Row.NUMBER_ALONE),
    ("no family name", {"family": ""}, {}, Outcome.SUGGESTION, Row.NUMBER_ALONE),
    ("no sex on either side", {"sex": ""}, {"sex": "U"}, Outcome.SUGGESTION, Row.NUMBER_ALONE),
]

ROW_OTHER_NUMBER: list[Case] = [
    ("both verified", {"number": TWO}, {}, Outcome.FLAG_DUPLICATE, Row.NUMBER_DUPLICATE),
    (
        "one not verified",
        {"number": TWO, "status": "02"},
        {},
        Outcome.SUGGESTION,
        Row.OTHER_NUMBER_UNVERIFIED,
    ),
    ("other given", {"number": TWO, "given": "Anna"}, {}, Outcome.NO_LINK, Row.OTHER_NUMBER),
    (
        "other date",
        {"number": TWO, "birth_date": "19700413"},
        {},
        Outcome.NO_LINK,
        Row.OTHER_NUMBER,
    ),
    (
        "status 05 elsewhere",
        {"number": TWO, "status": "05"},
        {},
        Outcome.SUGGESTION,
        Row.OTHER_NUMBER_UNVERIFIED,
    ),
    (
        "placeholders",
        {"number": TWO, "family": "Unknown"},
        {"family": "Unknown"},
        Outcome.NO_LINK,
        Row.OTHER_NUMBER,
    ),
]

ROW_NO_NUMBER: list[Case] = [
    ("absent", {"number": None}, {}, Outcome.SUGGESTION, Row.DEMOGRAPHICS_ONLY),
    ("absent twice", {"number": None}, {"number": None}, Outcome.SUGGESTION, Row.DEMOGRAPHICS_ONLY),
    ("initial", {"number": None, "given": "E"}, {}, Outcome.SUGGESTION, Row.DEMOGRAPHICS_ONLY),
    (
        "postcode without its space",
        {"number": None, "postcode": "ls14ap"},
        {},
        Outcome.SUGGESTION,
        Row.DEMOGRAPHICS_ONLY,
    ),
    ("other postcode", {"number": None, "postcode": "LS9 7TF"}, {}, Outcome.NO_LINK, Row.NOTHING),
    (
        "pseudo postcode",
        {"number": None, "postcode": "ZZ99 3VZ"},
        {"postcode": "ZZ99 3VZ"},
        Outcome.NO_LINK,
        Row.NOTHING,
    ),
    ("other given", {"number": None, "given": "Anna"}, {}, Outcome.NO_LINK, Row.NOTHING),
    ("other sex", {"number": None, "sex": "M"}, {}, Outcome.NO_LINK, Row.NOTHING),
    ("family sounds alike", {"number": None, "family": "Smyth"}, {}, Outcome.NO_LINK, Row.NOTHING),
    ("no birth date", {"number": None, "birth_date": ""}, {}, Outcome.NO_LINK, Row.NOTHING),
    (
        "verified without a number",
        {"number": None, "status": "01"},
        {},
        Outcome.SUGGESTION,
        Row.DEMOGRAPHICS_ONLY,
    ),
    (
        "placeholders",
        {"number": None, "family": "Unknown"},
        {"family": "Unknown"},
        Outcome.NO_LINK,
        Row.NOTHING,
    ),
]

CASES = {
    f"{title}: {case[0]}": case
    for title, cases in (
        ("verified", ROW_VERIFIED),
        ("marriage", ROW_MARRIAGE),
        ("slip", ROW_SLIP),
        ("wrong number", ROW_WRONG_NUMBER),
        ("twins", ROW_TWINS),
        ("unverified", ROW_UNVERIFIED),
        ("unnamed", ROW_UNNAMED),
        ("other number", ROW_OTHER_NUMBER),
        ("no number", ROW_NO_NUMBER),
    )
    for case in cases
}
