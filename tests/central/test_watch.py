import asyncio
from collections.abc import Callable

from archive.errors import DatabaseUnavailable
from central_store.tiers.watch import OrderWatch


class Looks:
    """A database whose answers the test gives."""

    def __init__(self, *answers: set[int] | None) -> None:
        self.answers = list(answers)
        self.count = 0

    def __call__(self) -> set[int]:
        self.count += 1
        answer = self.answers.pop(0) if self.answers else set()
        if answer is None:
            raise DatabaseUnavailable("The database did not answer.")
        return answer


async def turns_until(holds: Callable[[], bool]) -> None:
    """Let the event loop turn until something holds."""
    for _ in range(1_000_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never holds")


def test_who_waits_is_woken_by_an_order_of_his_own_alone() -> None:
    async def story() -> list[bool]:
        watch = OrderWatch(Looks(set(), {1}), every_s=0.001)
        questions = (watch.wait(1, seconds=10), watch.wait(2, seconds=0.05))
        return list(await asyncio.gather(*questions))

    assert asyncio.run(story()) == [True, False]


def test_all_who_wait_for_one_node_are_woken_by_one_look() -> None:
    looks = Looks({1})

    async def story() -> list[bool]:
        watch = OrderWatch(looks, every_s=0.001)
        return await asyncio.gather(*(watch.wait(1, seconds=10) for _ in range(20)))

    assert asyncio.run(story()) == [True] * 20
    assert looks.count <= 2


def test_nobody_looks_while_nobody_waits() -> None:
    looks = Looks()

    async def story() -> tuple[bool, int, int]:
        watch = OrderWatch(looks, every_s=0.001)
        await watch.wait(1, seconds=0.02)
        await turns_until(lambda: not watch.is_looking)
        before = looks.count
        for _ in range(50):
            await asyncio.sleep(0)
        return watch.is_looking, before, looks.count

    looking, before, after = asyncio.run(story())
    assert not looking
    assert before == after > 0


def test_a_database_that_is_away_is_asked_again() -> None:
    async def story() -> bool:
        watch = OrderWatch(Looks(None, None, {1}), every_s=0.001)
        return await watch.wait(1, seconds=10)

    assert asyncio.run(story())


def test_waiting_begins_again_after_it_ended() -> None:
    async def story() -> list[bool]:
        watch = OrderWatch(Looks({1}, set(), set(), {1}), every_s=0.001)
        return [await watch.wait(1, seconds=10), await watch.wait(1, seconds=10)]

    assert asyncio.run(story()) == [True, True]


def test_a_question_that_is_cancelled_leaves_nothing_behind() -> None:
    async def story() -> int:
        watch = OrderWatch(Looks(), every_s=0.001)
        waiting = asyncio.create_task(watch.wait(1, seconds=10))
        await turns_until(lambda: watch.waiting == 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return watch.waiting

    assert asyncio.run(story()) == 0


def test_when_waiting_ends_for_good_every_question_is_answered_at_once() -> None:
    async def story() -> list[bool]:
        watch = OrderWatch(Looks(), every_s=0.001)
        waiting = asyncio.create_task(watch.wait(1, seconds=60))
        await turns_until(lambda: watch.waiting == 1)
        await asyncio.to_thread(watch.stop)
        return [await waiting, await watch.wait(1, seconds=60)]

    assert asyncio.run(story()) == [False, False]
