"""The cold side of receiving: from spool segments into the index, and from there into packs.

Two loops, which any number of processes may run on one index and one spool::

    spool segment --Intake.once()--> loose instance rows --Sealer.once()--> packs
                        |
                        +-- cannot be indexed --> blob store under held, row in held, alarm

Intake reads verified records, scans and hashes them outside any transaction, compares where a
SOP Instance UID is taken, and registers a batch in one transaction together with its progress in
the segment: after a crash at any instant it goes on behind the last batch, and counts nothing
twice. The sealer builds, verifies and stores packs outside any transaction, and swaps rows in one.
A segment is deleted when all its records are taken in and nothing loose lies in it.

May import the index, the reader of octets, and the DICOM JSON of :mod:`archive.view`; nothing of a
tier. What a tier adds comes as callbacks that write rows in the same transaction.
"""
