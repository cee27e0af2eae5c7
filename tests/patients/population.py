"""A made-up population that is hard to tell apart, and what its trusts write down about it.

Households hold twins (often of one initial), a mother and her baby, a father and son of one name.
Trusts misspell, abbreviate, leave out, swap day and month, use placeholders, and put one person's
verified number on another of the household or on a stranger: what a false link is made of.

One mistake is left out, because no rule can see it: a twin written with an initial only, under
the other twin's verified number. The table confirms on a given initial.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from archive.words.identity import Issuer, PatientIdentity
from archive.words.nhs import NhsNumber, NhsStatus
from archive.words.person_names import PersonName
from central_store.patients.demographics import Demographics
from tests.patients.records import test_number

FAMILIES = (
    "Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Wright Walker White Khan Lewis "
    "O'Brien McDonald MacDonald Smith-Jones Hart Hunt Clark Clarke Martin Morton Reid Read Begum "
    "Ali Hussain Garcia-Lopez Müller Nowak Lee Li Ahmed Singh Kaur Hall Hill"
).split()
WOMEN = "Emma Ella Emily Anna Anne Alice Jean Joan Jane Janet Mary Maria Sara Sophie Aisha"
MEN = "John James Jack Tim Tom Thomas Oliver Oscar Mohammed Mohamed Ali Adam Alan Daniel"
GIVENS = {"F": WOMEN.split(), "M": MEN.split()}
MIDDLES = ("", "", "", "Rose", "Grace", "Paul", "Lee", "Hassan")
AUTHORITIES = tuple(Issuer(code, code) for code in ("RXA", "RXB", "RXC", "RXD"))
ALIKE = {"Smith": "Smyth", "Clark": "Clarke", "Reid": "Read", "Müller": "Mueller", "Khan": "Kahn"}


@dataclass(frozen=True, slots=True)
class Person:
    """The truth about one person."""

    key: int
    number: NhsNumber
    name: PersonName
    born: date
    sex: str
    postcode: str
    is_twin: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A record, and whose it is."""

    person: Person
    record: Demographics


class Population:
    """Households from a seed, and the records of their people."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.people = 0

    def households(self, count: int) -> Iterator[list[Written]]:
        """Yield the records of a household and of one stranger, mistakes and all."""
        stranger = self.person()
        for _ in range(count):
            people = [*self.household(), stranger]
            yield [written for person in people for written in self.records(person, people)]
            stranger = self.person()

    # --- the truth --------------------------------------------------------------------------

    def person(self) -> Person:
        self.people += 1
        sex = self.chance.choice("FM")
        name = PersonName(
            self.chance.choice(FAMILIES),
            self.chance.choice(GIVENS[sex]),
            self.chance.choice(MIDDLES),
        )
        born = date(1930, 1, 1) + timedelta(days=self.chance.randrange(34000))
        number = test_number(self.people * 4)
        postcode = f"LS{self.chance.randrange(30)} {self.chance.randrange(9)}AB"
        return Person(self.people, number, name, born, sex, postcode)

    def household(self) -> list[Person]:
        kinds = (self.twins, self.mother_and_baby, self.father_and_son, self.cousins)
        return self.chance.choice(kinds)()

    def relative(self, of: Person, *, given: str, sex: str, born: date) -> Person:
        name = replace(of.name, given=given, middle=self.chance.choice(MIDDLES))
        other = self.person()
        return replace(other, name=name, sex=sex, born=born, postcode=of.postcode)

    def twins(self) -> list[Person]:
        first = replace(self.person(), is_twin=True)
        sex = self.chance.choice("FM")
        names = [name for name in GIVENS[sex] if not _is_one_name(name, first.name.given)]
        given = self.chance.choice(names)
        second = self.relative(first, given=given, sex=sex, born=first.born)
        return [first, replace(second, is_twin=True)]

    def mother_and_baby(self) -> list[Person]:
        mother = self.person()
        born = mother.born + timedelta(days=self.chance.randrange(6500, 15000))
        sex = self.chance.choice("FM")
        given = self.chance.choice([*GIVENS[sex], mother.name.given])
        return [mother, self.relative(mother, given=given, sex=sex, born=born)]

    def father_and_son(self) -> list[Person]:
        father = self.person()
        years = self.chance.choice((20, 25, 30))
        born = father.born + timedelta(days=365 * years + years // 4)
        return [father, self.relative(father, given=father.name.given, sex=father.sex, born=born)]

    def cousins(self) -> list[Person]:
        one = self.person()
        born = one.born + timedelta(days=self.chance.choice((-30, -1, 1, 9, 31, 365)))
        return [one, self.relative(one, given=one.name.given, sex=one.sex, born=born)]

    # --- what trusts write down -------------------------------------------------------------

    def records(self, person: Person, around: list[Person]) -> Iterator[Written]:
        for issuer in self.chance.sample(AUTHORITIES, k=2):
            mrn = f"{person.key}"
            yield Written(person, self.record(person, PatientIdentity(mrn, issuer), around))

    def record(
        self, person: Person, identity: PatientIdentity, around: list[Person]
    ) -> Demographics:
        wrong = self.happens(0.25)
        number = self.chance.choice(around).number if wrong else person.number
        return Demographics(
            identity=identity,
            nhs_number=None if self.happens(0.05) else number,
            nhs_status=self.status(),
            name=self.name(person),
            birth_date=self.birth_date(person.born),
            sex="" if self.happens(0.03) else person.sex,
            postcode=person.postcode if self.happens(0.8) else "",
        )

    def happens(self, share: float) -> bool:
        return self.chance.random() < share

    def status(self) -> NhsStatus:
        return NhsStatus.VERIFIED if self.happens(0.85) else self.chance.choice(list(NhsStatus))

    def name(self, person: Person) -> PersonName:
        if self.happens(0.02):
            return PersonName(self.chance.choice(["UNKNOWN", "BABY OF SMITH", "TRAUMA 7"]), "X")
        name = person.name
        if self.happens(0.1):
            name = replace(name, family=ALIKE.get(name.family, name.family.upper()))
        if self.happens(0.05) and person.sex == "F":
            name = replace(name, family=self.chance.choice(FAMILIES))
        if self.happens(0.1) and not person.is_twin:
            name = replace(name, given=name.given[:1])
        return replace(name, middle="") if self.happens(0.4) else name

    def birth_date(self, born: date) -> str:
        told = born.strftime("%Y%m%d")
        if self.happens(0.93):
            return told
        at = self.chance.randrange(8)
        slip = told[:at] + self.chance.choice("0123456789") + told[at + 1 :]
        swap = told[:4] + told[6:] + told[4:6]
        return self.chance.choice(["", told[:4], "19000101", slip, swap, f"{born:%Y-%m-%d}"])


def _is_one_name(a: str, b: str) -> bool:
    """Tell whether no parents would give the two to twins: spellings, and one inside the other."""
    pairs = ({"Mohammed", "Mohamed"}, {"Tom", "Thomas"})
    return a == b or {a, b} in pairs
