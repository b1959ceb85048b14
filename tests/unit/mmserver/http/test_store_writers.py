"""One writer at a time on SQLite, readers beside it; and no more is loaded for it than it needs."""

import subprocess
import sys
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.exc import OperationalError

from mmserver.http.store_writers import READ_ONLY, serialise_writers


def test_a_second_writer_waits_and_a_reader_does_not(tmp_path: Any) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/x.sqlite")
    serialise_writers(engine, 0.1)
    with engine.begin() as first:
        first.exec_driver_sql("CREATE TABLE t (v INT)")
        with pytest.raises(OperationalError, match="locked"), engine.begin():
            pass
        with engine.connect().execution_options(**READ_ONLY) as reader, reader.begin():
            assert reader.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar() == 0
    engine.dispose()


@pytest.mark.parametrize("program", ["migration", "configuration"])
def test_an_upgrade_loads_neither_the_asyncio_part_nor_the_orm(program: str) -> None:
    script = (
        f"import sys, mmserver.{program}.schema.upgrade\n"
        "print([name for name in ('sqlalchemy.ext.asyncio', 'sqlalchemy.orm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
