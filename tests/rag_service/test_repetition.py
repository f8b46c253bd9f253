"""Loops of a weak model are found early and cut."""

from __future__ import annotations

from rag_service.repetition import Repetition

LOOP = "The lamp is lit at dusk by the keeper of the mole. "


def test_a_loop_is_found_and_cut_to_its_first_round() -> None:
    watched, text = Repetition(), "It is lit every day. "
    for _ in range(100):
        text += LOOP
        if watched.add(LOOP):
            break
    assert len(text) < 12 * len(LOOP)
    assert watched.cut(text + "The lamp is") == "It is lit every day. " + LOOP.strip()


def test_an_answer_without_a_loop_is_left_alone() -> None:
    watched = Repetition()
    text = " ".join(f"Pump {number} is checked on day {number * 7 % 31} by team {number % 5}." for number in range(200))
    assert not any(watched.add(text[place : place + 7]) for place in range(0, len(text), 7))
    assert watched.cut(text) == text


def test_a_list_may_repeat_a_word() -> None:
    watched = Repetition()
    assert not watched.add("yes, yes, yes: the first; yes, the second; and so on. " + "x " * 10)


def test_a_sentence_that_is_said_a_third_time_is_a_loop_with_others_in_between() -> None:
    watched, text, stopped = Repetition(), "", False
    for number in range(40):
        piece = f"{LOOP.strip()} [1] Door {number} is painted in colour {number * 3} by team {number % 7} at dawn. "
        text += piece
        if stopped := watched.add(piece):
            break
    assert stopped
    assert number < 8
    assert watched.cut(text).count("The lamp is lit") == 1
    assert "Door 0" in watched.cut(text)


def test_short_lines_may_come_again() -> None:
    watched = Repetition()
    text = "".join(
        f"- Pump {number} of hall {number * 7} was checked by us.\n- None.\n- Not known.\n" for number in range(30)
    )
    assert not any(watched.add(text[place : place + 9]) for place in range(0, len(text), 9))
    assert watched.cut(text) == text
