"""The state directory: whole files, their modes, and NOTE 3 of 10.1.X.1."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mmserver.messages import IdentitySet
from ue_agent import store as module
from ue_agent.errors import StoreError
from ue_agent.store import Store, SystemEntry

UNTIL = datetime(2099, 1, 1, tzinfo=UTC)


def entry(mc_system: str, role: str, user: str = "u") -> SystemEntry:
    identities = IdentitySet(private_user_identity=f"{user}@d", public_user_identities=(f"sip:{user}@d",))
    return SystemEntry(
        mc_system=mc_system, role=role, identities=identities, home_domain="d", p_cscf=("sip:10.0.0.1",),
        valid_until=UNTIL if role == "partner" else None,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "state")
    yield made
    made.close()


def test_each_system_has_a_file_of_its_own_for_the_owner_alone(store, tmp_path) -> None:
    store.save_primary(entry("mc1", "primary"))
    store.save_partner(entry("mc2", "partner"))
    files = sorted((tmp_path / "state/systems").iterdir())
    assert [file.name for file in files] == ["mc1.json", "mc2.json"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_entries_survive_a_restart(tmp_path) -> None:
    first = Store(tmp_path)
    first.save_primary(entry("mc1", "primary"))
    first.save_partner(entry("mc2", "partner"))
    first.save_isim_state("u@d", (1, 2))
    instance = first.instance()
    first.close()
    again = Store(tmp_path)
    assert again.systems() == (entry("mc1", "primary"), entry("mc2", "partner"))
    assert again.isim_state("u@d") == (1, 2) and again.instance() == instance
    again.close()


def test_a_partner_never_overwrites_the_primary(store) -> None:
    """10.1.X.1 NOTE 3."""
    store.save_primary(entry("mc1", "primary"))
    with pytest.raises(StoreError, match="primary MC system"):
        store.save_partner(entry("mc1", "partner", "thief"))
    assert store.load("mc1") == entry("mc1", "primary")


def test_a_partner_is_renewed_by_its_next_reply(store) -> None:
    store.save_partner(entry("mc2", "partner", "old"))
    store.save_partner(entry("mc2", "partner", "new"))
    assert store.load("mc2") == entry("mc2", "partner", "new")


def test_a_write_that_fails_leaves_the_old_file_whole(store, tmp_path, monkeypatch) -> None:
    store.save_partner(entry("mc2", "partner", "old"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        store.save_partner(entry("mc2", "partner", "new"))
    assert store.load("mc2") == entry("mc2", "partner", "old")


def test_file_and_folder_are_on_the_disk_before_the_call_returns(store, monkeypatch) -> None:
    synced = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(module.os, "fsync", note)
    store.save_isim_state("u@d", (1,))
    assert synced == [".isim.json.new", "state"]


def test_one_process_is_one_ue(store, tmp_path) -> None:
    with pytest.raises(StoreError, match="another ue-agent"):
        Store(tmp_path / "state")


def test_another_card_has_no_state_yet(store) -> None:
    store.save_isim_state("u@d", (1,))
    assert store.isim_state("v@d") is None


def test_nothing_known_is_none(store) -> None:
    assert store.load("mc9") is None and store.isim_state("u@d") is None and store.systems() == ()


@pytest.mark.parametrize("name", ["../lock", "", "A B", "x/y"])
def test_a_name_is_no_path(store, name) -> None:
    with pytest.raises(StoreError, match="name"):
        store.load(name)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mc_system": "mc2"}'])
def test_a_damaged_entry_is_told(store, tmp_path, text) -> None:
    (tmp_path / "state/systems/mc2.json").write_text(text)
    with pytest.raises(StoreError, match=r"mc2\.json: damaged"):
        store.load("mc2")


def test_an_entry_of_another_system_is_damage(store, tmp_path) -> None:
    (tmp_path / "state/systems/mc2.json").write_text(entry("mc3", "partner").model_dump_json())
    with pytest.raises(StoreError, match="mc3"):
        store.load("mc2")


@pytest.mark.parametrize("text", ["{", "[]", '{"private_user_identity": "u@d", "sequence_numbers": ["x"]}'])
def test_a_damaged_card_is_not_a_new_card(store, tmp_path, text) -> None:
    (tmp_path / "state/isim.json").write_text(text)
    with pytest.raises(StoreError, match=r"isim\.json"):
        store.isim_state("u@d")


def test_a_folder_that_cannot_be_made_is_told(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"ue\.state_dir: .*wanted a folder of our own"):
        Store(tmp_path / "file")
