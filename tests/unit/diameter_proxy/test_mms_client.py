"""Which MMS is asked; what they answer is in tests/integration."""

import ssl

import pytest

from diameter_proxy.feed_page import FeedError
from diameter_proxy.mms_client import MmsClient


@pytest.fixture
async def client():
    # nobody listens on port 9 of these addresses
    client = MmsClient(["http://127.0.0.1:9/", "http://127.0.0.2:9"], ssl.create_default_context(), 1.0)
    client.open()
    yield client
    await client.close()


async def test_instances_are_followed_in_turn(client):
    assert client.followed == "http://127.0.0.1:9"
    assert [client.follow_next(), client.followed] == [False, "http://127.0.0.2:9"]
    assert [client.follow_next(), client.followed] == [True, "http://127.0.0.1:9"]


async def test_nobody_there_is_a_feed_error_each_time(client):
    for attempt in (client.get("/x", {}), client.send("PUT", "/x", {}), client.ask("/x")):
        with pytest.raises(FeedError, match="ConnectError"):
            await attempt
