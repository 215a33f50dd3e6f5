"""The journal: what is on disk at each moment of a deployment."""

import threading
from copy import deepcopy

import pytest

from hermetic.journal import Journal
from hermetic.state import Deployment, PendingOperation, ResourceState
from tests.waiting import wait_for


class Disk:
    """A store that keeps what was saved, and can be slow or full."""

    def __init__(self) -> None:
        self.saved: list[Deployment] = []
        self.gate = threading.Event()
        self.gate.set()
        self.full = False

    def save(self, deployment: Deployment) -> None:
        self.gate.wait(60)
        if self.full:
            raise OSError("no space left on device")
        self.saved.append(deepcopy(deployment))

    def urns(self) -> list[str]:
        return [state.urn for state in self.saved[-1].resources]


def _state(name: str, **fields: object) -> ResourceState:
    state = ResourceState(urn=f"urn:pulumi:dev::small::t::{name}", type="t", custom=True)
    for field, value in fields.items():
        setattr(state, field, value)
    return state


def test_an_operation_is_on_disk_before_it_is_sent() -> None:
    disk = Disk()
    journal = Journal(Deployment(), disk)
    state = _state("a")
    journal.begin(state, "creating")
    assert [each.type for each in disk.saved[-1].pending_operations] == ["creating"]
    journal.end(state)
    journal.add(state)
    journal.commit()
    assert disk.saved[-1].pending_operations == []
    assert disk.urns() == [state.urn]


def test_new_entries_come_first_and_old_ones_stay_until_they_are_dropped() -> None:
    disk = Disk()
    olds = [_state("a"), _state("b")]
    journal = Journal(Deployment(resources=olds), disk)
    new = _state("a")
    journal.add(new)
    journal.drop(olds[0])
    journal.commit()
    assert disk.urns() == [new.urn, olds[1].urn]


def test_a_create_that_nobody_saw_the_end_of_is_kept_and_other_operations_are_not() -> None:
    operations = [PendingOperation(_state("a"), "creating"), PendingOperation(_state("b"), "updating")]
    journal = Journal(Deployment(pending_operations=operations), Disk())
    assert [each.type for each in journal.snapshot().pending_operations] == ["creating"]


def test_commits_that_wait_for_the_disk_share_one_write() -> None:
    disk = Disk()
    journal = Journal(Deployment(), disk)
    disk.gate.clear()
    threads = [threading.Thread(target=journal.begin, args=(_state(f"r{n}"), "creating")) for n in range(20)]
    for thread in threads:
        thread.start()
    wait_for("all have begun", lambda: len(journal.snapshot().pending_operations) == 20)
    disk.gate.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert len(disk.saved[-1].pending_operations) == 20
    assert len(disk.saved) <= 2, "the first who came, and one write for all others"


def test_a_full_disk_is_told_to_the_step_that_needs_it() -> None:
    disk = Disk()
    disk.full = True
    journal = Journal(Deployment(), disk)
    with pytest.raises(OSError, match="no space left"):
        journal.begin(_state("a"), "creating")


def test_a_renamed_resource_is_followed_by_what_refers_to_it() -> None:
    old, dependent = _state("old"), _state("dependent")
    dependent.dependencies = [old.urn]
    dependent.property_dependencies = {"value": [old.urn]}
    dependent.parent = old.urn
    dependent.replace_with = [old.urn]
    new = _state("new")
    journal = Journal(Deployment(resources=[old, dependent]), None)
    journal.rename(old.urn, new.urn)
    journal.drop(old)
    journal.add(new)
    journal.snapshot()
    assert (dependent.parent, dependent.dependencies) == (new.urn, [new.urn])
    assert dependent.property_dependencies == {"value": [new.urn]}
    assert dependent.replace_with == [new.urn]


def test_a_preview_writes_nothing() -> None:
    journal = Journal(Deployment(), None)
    journal.begin(_state("a"), "creating")
    journal.commit()
    assert len(journal.snapshot().pending_operations) == 1
