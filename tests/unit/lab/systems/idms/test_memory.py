"""A bounded memory whose entries lapse."""

import pytest

from lab.systems.idms.memory import LapsingMemory, MemoryFull


def test_an_entry_is_recalled_until_its_time() -> None:
    memory: LapsingMemory[int] = LapsingMemory(2, forget_oldest=True)
    memory.remember("a", 1, until=10, now=0)
    assert memory.recall("a", 9.9) == 1
    assert memory.recall("a", 10) is None
    assert memory.recall("b", 0) is None


def test_an_entry_is_taken_once() -> None:
    memory: LapsingMemory[int] = LapsingMemory(2, forget_oldest=True)
    memory.remember("a", 1, until=10, now=0)
    assert memory.take("a", 1) == 1
    assert memory.take("a", 1) is None


def test_the_oldest_is_forgotten_when_it_is_full() -> None:
    memory: LapsingMemory[int] = LapsingMemory(2, forget_oldest=True)
    for key in "abc":
        memory.remember(key, 1, until=10, now=0)
    assert [memory.recall(key, 0) for key in "abc"] == [None, 1, 1]
    assert len(memory) == 2


def test_a_full_memory_that_may_not_forget_refuses_until_one_lapses() -> None:
    memory: LapsingMemory[int] = LapsingMemory(1, forget_oldest=False)
    memory.remember("a", 1, until=10, now=0)
    with pytest.raises(MemoryFull):
        memory.remember("b", 1, until=10, now=9)
    memory.remember("b", 1, until=20, now=10)
    assert memory.recall("b", 10) == 1
