"""The whole region on one machine: one process tree under a small supervisor of our own.

REGION ─┬─ valkey                 the broker of every tier, one database each
        ├─ central.serve  central.work
        └─ RXA.receive    RXA.serve    RXA.work      and so for each trust
"""
