"""How often intake and sealing look for something to do."""

INTAKE_SECONDS = 0.2
SEAL_SECONDS = 0.25
