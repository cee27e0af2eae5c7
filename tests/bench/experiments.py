"""What is run: for each experiment its arms, which take turns, and how often."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.bench.corpus import QUICK_SIZES, SIZES
from tests.bench.run import Wanted
from tests.bench.sending import Workload
from tests.bench.sides import NODE, ORTHANC, STORESCP

RECEIVED = Wanted()


@dataclass(frozen=True, slots=True)
class Arm:
    """One of those who take turns."""

    name: str
    side: str
    workload: Workload
    seconds: float
    """About how long a run takes, all told; for the plan."""
    wanted: Wanted = RECEIVED
    rounds: int | None = None
    """No more than so many: for figures that only stand beside."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """Rounds of runs; in each round every arm runs once, in this order."""

    key: str
    title: str
    arms: tuple[Arm, ...]
    rounds: int

    def turns(self) -> Iterator[tuple[int, Arm]]:
        """Return the runs in their order, with the number of the round."""
        for number in range(self.rounds):
            for arm in self.arms:
                if arm.rounds is None or number < arm.rounds:
                    yield number, arm

    def seconds(self) -> float:
        """Return about how long it takes."""
        return sum(arm.seconds for _, arm in self.turns())


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is sent, how often."""

    sizes: Mapping[str, int]
    """Instances of the corpus by kind."""
    pairs: int
    long_pairs: int
    """Of the long experiment."""
    long_count: int
    """CT images sent in the long experiment."""
    nagle: Mapping[str, int]
    """Images by kind that storescu sends to us."""
    nagle_peers: int
    """Images that it sends to those who take eleven a second."""
    peer_rounds: int
    fewer_pairs: int
    """Of the experiments that take long for what they tell: Nagle and DX."""
    pace: float
    """How long runs take against those of the full scale; for the plan."""
    quiet_seconds: float
    """Of the node's file: a series quiet for so long is sealed."""

    @property
    def settled(self) -> Wanted:
        """Follow a run until all is sealed."""
        return Wanted(self.quiet_seconds, settled=True)

    @property
    def found(self) -> Wanted:
        """Follow it so, and look for the last instance by C-FIND."""
        return Wanted(self.quiet_seconds, settled=True, found=True)


FULL = Scale(
    sizes=SIZES,
    pairs=7,
    long_pairs=7,
    long_count=18_950,
    nagle={"ct": 300, "small": 1000},
    nagle_peers=60,
    peer_rounds=3,
    fewer_pairs=7,
    pace=1.0,
    quiet_seconds=5.0,
)
QUICK = Scale(
    sizes=QUICK_SIZES,
    pairs=3,
    long_pairs=1,
    long_count=400,
    nagle={"ct": 50, "small": 100},
    nagle_peers=10,
    peer_rounds=1,
    fewer_pairs=1,
    pace=0.33,
    quiet_seconds=1.0,
)


def experiments(scale: Scale) -> dict[str, Experiment]:
    """Return all experiments by key."""
    ct, small, dx = (scale.sizes[kind] for kind in ("ct", "small", "dx"))
    every = (
        _against("ct1", "CT, 1 association", Workload("ct", ct), scale, scale.settled),
        _against("ct4", "CT, 4 associations", Workload("ct", ct, 4), scale, storescp=True),
        _against("small1", "34 KB, 1 association", Workload("small", small), scale, scale.settled),
        _against("small4", "34 KB, 4 associations", Workload("small", small, 4), scale),
        _nagle("nagle-ct", "CT by storescu", "ct", scale),
        _nagle("nagle-small", "34 KB by storescu", "small", scale),
        _against(
            "dx", "60 MB DX, 1 association", Workload("dx", dx), scale, pairs=scale.fewer_pairs
        ),
        Experiment(
            "long",
            "CT, 1 association, 10 GB",
            (
                Arm(NODE, NODE, Workload("ct", scale.long_count), 90, scale.found),
                Arm(ORTHANC, ORTHANC, Workload("ct", scale.long_count), 125, scale.found),
            ),
            scale.long_pairs,
        ),
    )
    return {one.key: one for one in every}


def _against(
    key: str,
    title: str,
    workload: Workload,
    scale: Scale,
    wanted: Wanted = RECEIVED,
    *,
    storescp: bool = False,
    pairs: int = 0,
) -> Experiment:
    arms = [
        Arm(NODE, NODE, workload, 25 if wanted.settled else 8, wanted),
        Arm(ORTHANC, ORTHANC, workload, 9, wanted),
    ]
    if storescp:
        arms.append(Arm(STORESCP, STORESCP, workload, 4))
    return Experiment(key, title, tuple(arms), pairs or scale.pairs)


def _nagle(key: str, title: str, kind: str, scale: Scale) -> Experiment:
    def arms(side: str, count: int, seconds: float, rounds: int | None = None) -> list[Arm]:
        return [
            Arm(f"{side} {how}", side, workload, seconds, rounds=rounds)
            for how, workload in (
                ("Nagle on", Workload(kind, count, storescu_nodelay=False)),
                ("Nagle off", Workload(kind, count, storescu_nodelay=True)),
            )
        ]

    of_ours = arms(NODE, scale.nagle[kind], 8)
    orthanc = arms(ORTHANC, scale.nagle_peers, 8, scale.peer_rounds)
    storescp = arms(STORESCP, scale.nagle_peers, 5, scale.peer_rounds)
    return Experiment(key, title, (*of_ours, *orthanc, *storescp), scale.fewer_pairs)
