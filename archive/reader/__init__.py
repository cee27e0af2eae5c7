"""What every door reads through: searching, selecting, and the octets of what was selected."""

from archive.index.matching import Level
from archive.index.search import Match
from archive.reader.octets import Octets
from archive.reader.outgoing import Outgoing, Report, Selection
from archive.reader.reader import Reader

__all__ = ["Level", "Match", "Octets", "Outgoing", "Reader", "Report", "Selection"]
