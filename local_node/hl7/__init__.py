"""HL7 v2 at a trust's door: MLLP, acknowledgements, and what ADT and ORU do to the index."""
