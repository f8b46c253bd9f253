"""What a round of mirroring has to do."""

from __future__ import annotations

import pytest

from service_kit.folders.inbox import collection_of
from service_kit.folders.plan import ATTEMPTS, Known, Plan, planned


def known(name: str | None, sha: str, status: str = "ready", version: int = 1, attempts: int = 1) -> Known:
    return Known(f"doc-{sha}", name, sha, status, version, attempts, "damaged" if status == "failed" else "")


def plan(content: dict[str, str], there: list[Known], unknown: tuple[str, ...] = ()) -> Plan:
    return planned(content, lambda name: name not in unknown, there, "box")


def did(found: Plan) -> tuple[list[str], list[str], list[str]]:
    return found.sends, [one.sha256 for one in found.retries], [one.sha256 for one in found.deletes]


def test_what_is_equal_needs_nothing() -> None:
    assert did(plan({"a": "1", "b/c": "2"}, [known("box:a", "1"), known("box:b/c", "2")])) == ([], [], [])


def test_new_and_changed_files_are_sent_and_lost_ones_deleted() -> None:
    found = plan({"new": "9", "changed": "8"}, [known("box:changed", "2"), known("box:lost", "3")])
    assert did(found) == (["changed", "new"], [], ["3"]) or did(found) == (["new", "changed"], [], ["3"])


def test_a_renamed_file_is_sent_under_its_new_name_and_not_deleted() -> None:
    assert did(plan({"new": "1"}, [known("box:old", "1")])) == (["new"], [], [])


def test_two_files_that_change_places_are_both_sent() -> None:
    found = plan({"a": "2", "b": "1"}, [known("box:a", "1"), known("box:b", "2")])
    assert (sorted(found.sends), found.deletes) == (["a", "b"], [])


def test_copies_are_one_document_which_stays_while_one_of_them_does() -> None:
    assert did(plan({"a": "1", "b": "1"}, [known("box:b", "1")])) == ([], [], [])
    assert did(plan({"a": "1", "b": "1"}, [])) == (["a"], [], [])
    assert did(plan({"a": "1"}, [known("box:b", "1")])) == (["a"], [], [])


def test_a_file_that_became_a_copy_leaves_no_old_document() -> None:
    assert did(plan({"a": "1", "b": "1"}, [known("box:a", "1"), known("box:b", "2")])) == ([], [], ["2"])


def test_documents_of_others_are_left_alone_even_with_the_same_bytes() -> None:
    there = [known("1.pdf", "1"), known(None, "2"), known("boxes:a", "3"), known("box-2:a", "4")]
    assert did(plan({"a": "1"}, there)) == ([], [], [])
    assert did(plan({}, [known("a", "1", "failed")])) == ([], [], [])
    assert did(plan({"a": "1"}, [known("a", "1", "failed")])) == (["a"], [], [])


def test_what_cannot_be_seen_is_neither_deleted_nor_moved() -> None:
    assert did(plan({}, [known("box:a", "1")], ("a",))) == ([], [], [])
    assert did(plan({"b": "1"}, [known("box:a", "1")], ("a",))) == ([], [], [])


def test_a_broken_file_is_read_three_times_and_then_listed() -> None:
    for attempts in range(1, ATTEMPTS):
        assert did(plan({"a": "1"}, [known("box:a", "1", "failed", attempts=attempts)])) == ([], ["1"], [])
    given_up = plan({"a": "1"}, [known("box:a", "1", "failed", attempts=ATTEMPTS)])
    assert (did(given_up), given_up.failed) == (([], [], []), {"a": "damaged"})


def test_a_broken_version_is_replaced_by_a_whole_one_and_the_old_one_stays_until_then() -> None:
    there = [known("box:a", "1"), known("box:a", "2", "failed", 2, ATTEMPTS)]
    assert did(plan({"a": "3"}, there)) == (["a"], [], [])
    assert did(plan({"a": "1"}, there)) == (["a"], [], []), "back to the bytes before: they are to be the newest again"


def test_documents_that_are_being_read_are_waited_for() -> None:
    assert plan({"a": "1", "b": "2"}, [known("box:a", "1", "queued"), known("box:b", "2")]).pending == 1


@pytest.mark.parametrize(
    ("name", "collection"),
    [
        ("a.pdf", "default"),
        ("handbook/a.pdf", "handbook"),
        ("Personal Files/2026/a.pdf", "personal-files"),
        ("_x/a.pdf", "x"),
        ("日本/a.pdf", None),
        ("a" * 80 + "/a.pdf", "a" * 63),
    ],
)
def test_the_first_folder_of_an_inbox_is_the_collection(name: str, collection: str | None) -> None:
    assert collection_of(name) == collection
    assert collection_of(name, "all") == "all"
