"""One identity is looked up without a thread, as last committed, and nothing is written."""

import sqlite3
from typing import Any

import pytest
import sqlalchemy

from mmserver.migration.store_look_up import LookUp


@pytest.fixture
def look_up(mms: Any) -> Any:
    made = LookUp(mms.config.store.url)
    yield made
    made.close()


async def test_each_identity_of_a_set_finds_its_binding(mms: Any, look_up: LookUp) -> None:
    binding = await mms.allocated(impus=2)
    wanted = (binding.identities.private_user_identity, *binding.identities.public_user_identities)
    assert [look_up.find_by_identity(identity) for identity in wanted] == [[binding]] * 3
    assert look_up.find_by_identity("sip:nobody@ims.mc2.lab") == []


async def test_it_sees_what_was_committed_last_also_while_somebody_writes(mms: Any, look_up: LookUp) -> None:
    binding = await mms.allocated()
    impi = binding.identities.private_user_identity
    assert look_up.find_by_identity(impi) == [binding]
    async with mms.store.writing() as transaction:
        await transaction._connection.exec_driver_sql("UPDATE bindings SET enabled = 0")
        assert look_up.find_by_identity(impi) == [binding]
    found = look_up.find_by_identity(impi)
    assert found is not None and not found[0].enabled


async def test_a_database_that_cannot_be_read_at_once_is_not_waited_for(mms: Any, look_up: LookUp) -> None:
    """None: the store asks the ordinary way, which waits and says what is wrong."""
    binding = await mms.allocated()
    await mms.store.close()
    path = sqlalchemy.make_url(mms.config.store.url).database
    assert path is not None
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("pragma locking_mode=exclusive")
    holder.execute("begin exclusive")
    assert look_up.find_by_identity(binding.identities.private_user_identity) is None
    holder.execute("rollback")
    holder.close()
    assert look_up.find_by_identity(binding.identities.private_user_identity) == [binding]


async def test_it_cannot_write(mms: Any, look_up: LookUp) -> None:
    binding = await mms.allocated()
    assert look_up.find_by_identity(binding.identities.private_user_identity) == [binding]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        look_up._connection.get().execute("DELETE FROM bindings")


async def test_a_truth_value_is_one_as_the_ordinary_way_gives_it(mms: Any, look_up: LookUp) -> None:
    """SQLite has numbers in their place, and they would be numbers in what the MMS tells of a binding."""
    impi = (await mms.allocated()).identities.private_user_identity
    async with mms.store.reading() as transaction:
        assert repr(look_up.find_by_identity(impi)) == repr(await transaction.find_by_identity(impi))
