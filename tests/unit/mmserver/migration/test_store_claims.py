"""Claims to an RTR: one instance at a time has it, and what is taken over is the same request."""

from typing import Any

from mmserver.migration.store_claims import Claim


async def take(mms: Any, instance: str, end_to_end: int, *, version: int = 1) -> Claim | None:
    async with mms.store.writing() as transaction:
        claim: Claim | None = await transaction.claims.take("b-1", version, Claim(instance, end_to_end), 7.0, mms.now)
    return claim


async def test_one_instance_has_it_until_it_lapses(mms: Any) -> None:
    assert await take(mms, "one", 1) == Claim("one", 1)
    mms.now += 6.9
    assert await take(mms, "two", 2) is None
    mms.now += 0.1
    assert await take(mms, "two", 2) == Claim("two", 1, is_taken_over=True)
    assert await take(mms, "one", 3) is None


async def test_an_instance_that_comes_again_sends_the_same_request(mms: Any) -> None:
    assert await take(mms, "one", 1) == Claim("one", 1)
    assert await take(mms, "one", 2) == Claim("one", 1, is_taken_over=True)


async def test_what_was_claimed_for_an_earlier_version_is_another_request(mms: Any) -> None:
    assert await take(mms, "one", 1) == Claim("one", 1)
    assert await take(mms, "two", 2, version=2) is None  # it may still be under way
    mms.now += 7.0
    assert await take(mms, "two", 2, version=2) == Claim("two", 2)


async def test_a_claim_that_is_dropped_is_free(mms: Any) -> None:
    assert await take(mms, "one", 1) == Claim("one", 1)
    async with mms.store.writing() as transaction:
        await transaction.claims.drop("b-1")
    assert await take(mms, "two", 2) == Claim("two", 2)
