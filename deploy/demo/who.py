"""Who is in the story: trusts, people, machines. None of these people exists.

NHS numbers of the range 999 are never issued.
"""

from dataclasses import replace

from deploy.demo.pas import Person, Report

HOME = "RXA"
"""The trust that has the images."""

WEST = "RXAW"
"""Its second assigning authority: a hospital that joined it with a PAS of its own."""

NEXT = "RXB"
"""The trust at which the patient turns up."""

STRANGER = "RXC"
"""A trust that has nothing to do with any of them."""

TRUSTS = (HOME, NEXT, STRANGER)

CT_1 = "CT_1"
"""A modality of the home trust."""

WEST_CT = "WEST_CT"
"""A modality of its western hospital, which speaks for ``WEST``."""

READING_ROOM = "READING_ROOM"
"""A workstation of the home trust."""

WORKSTATION = "WORKSTATION"
"""A workstation of the next trust; it queries, and takes what is moved to it."""

STRANGERS_WORKSTATION = "RXC_WS"
"""A workstation of the third trust, which calls the centre."""

NOBODY = "NOBODY"
"""An AE title that the centre's table does not have."""

ARCHIBALD = Person(
    mrn="77654033",
    authority=HOME,
    name="Doe^Archibald",
    birth_date="19480614",
    sex="M",
    postcode="ZZ99 3WZ",
    nhs_number="9990000018",
    nhs_status="NSTS01",
)

PETER = Person(
    mrn="98890234",
    authority=HOME,
    name="Doe^Peter",
    birth_date="19620927",
    sex="M",
    postcode="ZZ99 3WZ",
    nhs_number="9990000026",
    nhs_status="NSTS01",
)

NAMESAKE = Person(
    mrn=ARCHIBALD.mrn,
    authority=WEST,
    name="Okafor^Ngozi",
    birth_date="19790803",
    sex="F",
    nhs_number="9990000034",
    nhs_status="NSTS01",
)
"""Has the number that Archibald has, from the trust's other PAS."""

ARCHIBALD_NEXT = replace(ARCHIBALD, mrn="B204417", authority=NEXT, name="Doe^Archibald^^Mr")
"""The same person as the next trust's PAS knows him."""

CT_ACCESSION = "RXA25CT0000117"
CT_DATE = "20250117"
CT_SLICES = 40

REPORT = Report(
    text=(
        "GENERATED IMAGES, NOT A PATIENT.\n"
        "CT thorax: lungs, heart and spine as drawn. No comparison available.\n"
        "Reported by nobody."
    ),
    accession=CT_ACCESSION,
    procedure="CT Thorax",
    modality="CT",
)
"""The report of the generated CT; its study's UID is known when it has been made."""
