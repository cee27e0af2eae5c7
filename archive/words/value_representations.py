"""Value Representations by how an element's head is coded in Explicit VR (PS3.5 Section 7.1.2)."""

SHORT_FORM = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
"""A length of 16 bits behind the VR (PS3.5 Table 7.1-2)."""
LONG_FORM = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""Two reserved octets and a length of 32 bits behind the VR (PS3.5 Table 7.1-1)."""
OCTETS = frozenset(b"OB OD OF OL OV OW".split())
"""Streams of octets or words: of undefined length they hold fragments, not items."""
SHORT_HEAD, LONG_HEAD = 8, 12
"""Octets of an element's head; in Implicit VR it is short."""
