"""What the feed has come to, by MMS."""

from diameter_proxy.feed_status import FeedStatus


def test_failures_are_counted_for_the_mms_that_was_followed():
    status = FeedStatus(("a", "b"))
    status.failed()
    status.switched("b")
    assert status.is_failing
    status.succeeded()
    status.switched("b")
    described = status.described()
    assert described.pop("succeeded_at") == status.succeeded_at is not None
    assert described == {
        "mms": "b", "is_failing": False, "acknowledged": None, "failures": {"a": 1, "b": 0}, "switches": 1,
    }  # fmt: skip
