"""The listener: a database that is not there."""

import asyncio

import structlog

from mmserver.migration.store_listener import CHANNEL, WAKE, listen_for_ever


def test_what_wakes_is_what_is_listened_to() -> None:
    assert f"NOTIFY {CHANNEL}" == WAKE


async def never() -> None:
    raise AssertionError("nobody is there")


async def test_a_database_that_is_not_there_is_said_once_and_tried_again() -> None:
    with structlog.testing.capture_logs() as logs:
        nowhere = {"host": "127.0.0.1", "port": 1, "user": "nobody", "connect_timeout": 3}
        listener = asyncio.create_task(listen_for_ever(nowhere, never, lambda: None, retry_s=0.01))
        deadline = asyncio.get_running_loop().time() + 20
        while not logs:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.05)
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
    assert [entry["event"] for entry in logs] == ["listener.lost"]
