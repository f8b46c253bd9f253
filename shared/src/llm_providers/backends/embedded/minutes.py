"""Decisions and actions of a meeting: what was asked is joined to its acceptance, what was proposed to the assent it got."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice

from llm_providers import transcripts
from llm_providers.backends.embedded import cues, dates
from llm_providers.sentences import Sentence, words

_REACTION = 3
"""Sentences at the beginning of a turn that answer the one before."""
_PATIENCE = 3
"""Turns after which nobody answers a request any more."""
_MEMORY = 10
"""Turns in which a proposal can be decided, or a point be said again."""
_FULL = 2
"""Words with content that a sentence needs to be understood alone."""
_ALIKE = 0.5
_SMALL_TALK = 15
"""Turns at the beginning and at the end that may be small talk."""
_HEADER = 30
"""Sentences at the beginning that may list the people."""
_LONGEST = 700
"""Characters of a quote."""
_LATEST, _LONG_AGO = 12, 100
"""Points among which one that is said again, or taken back, is looked for."""


@dataclass(slots=True)
class Finding:
    """A decision or an action: the sentences that say it, and for an action who does it by when."""

    sentences: list[int]
    turn: int
    about: frozenset[str]
    owner: str | None = None
    due: str | None = None


@dataclass(slots=True)
class _Open:
    """What waits for an answer: a request, a need, an offer or a proposal; `to` is whom it asks."""

    kind: str
    index: int
    turn: int
    by: str | None
    to: str | None = None
    point: Finding | None = None


@dataclass
class Minutes:
    """The decisions and actions of a text, in reading order; `speakers` has who says each sentence, None outside of a transcript."""

    sentences: Sequence[Sentence]
    speakers: Sequence[str | None]
    decisions: list[Finding] = field(default_factory=list)
    actions: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.said = [" ".join(transcripts.without_speaker(s.text).split()) for s in self.sentences]
        people = {word.lower() for name in set(self.speakers) if name for word in name.split()}
        listed = (transcripts.listed(s.text) for s in self.sentences[:_HEADER])
        self.names = people.union(*listed) if len(set(self.speakers) - {None}) > 1 else set[str]()
        self._stems = frozenset(words(" ".join(self.names)))
        self.content = [transcripts.content(said, self._stems) for said in self.said]
        self._asked: deque[_Open] = deque(maxlen=_LATEST)
        self._proposed: deque[_Open] = deque(maxlen=_LATEST)
        self._before = False
        turns = [list(turn) for _, turn in groupby(range(len(self.said)), lambda index: self.speakers[index])]
        first = self._turn_with(cues.OPENING, turns, range(min(_SMALL_TALK, len(turns))), 0)
        last = self._turn_with(
            cues.CLOSING, turns, range(max(first, len(turns) - _SMALL_TALK), len(turns)), len(turns) - 1
        )
        turns = turns[first : last + 1]
        self.business = range(turns[0][0], turns[-1][-1] + 1) if turns else range(0)
        self._chair = next((self.speakers[turn[0]] for turn in turns if self.speakers[turn[0]]), None)
        for number, turn in enumerate(turns):
            self._read(number, turn)

    def _turn_with(self, cue: re.Pattern[str], turns: list[list[int]], among: range, otherwise: int) -> int:
        return next((n for n in among if any(cue.search(self.said[i]) for i in turns[n])), otherwise)

    def point(self, index: int) -> Finding:
        """Return a sentence as a point."""
        return Finding([index], 0, self.content[index])

    def text(self, point: Finding) -> str:
        return " ".join(self.said[index] for index in point.sentences)

    def span(self, point: Finding) -> tuple[int, int]:
        """Return the characters from the first to the last sentence of a point."""
        return self.sentences[point.sentences[0]].start, self.sentences[point.sentences[-1]].end

    def _read(self, number: int, turn: list[int]) -> None:
        who, head = self.speakers[turn[0]], turn[:_REACTION]
        refuses = any(cues.REFUSAL.search(self.said[index]) for index in head)
        first = self.said[head[0]]
        objects = refuses or cues.OBJECTION.match(first) is not None
        assents = not objects and bool(cues.ASSENT.match(first) or cues.ASSENT_AT_END.search(first))
        self._answer(who, number, turn, assents, refuses, objects)
        if assents:
            self._agree(who, number)
        for proposed in self._recent(self._proposed, number, 1) if objects else ():
            proposed.kind = "refused"
        for index in turn:
            self._hear(index, who, number, assents)
        self._before = assents

    def _answer(
        self, who: str | None, number: int, turn: list[int], assents: bool, refuses: bool, objects: bool
    ) -> None:
        """Take a turn as the answer to what the ones before it asked or offered."""
        head, last = turn[:_REACTION], self.actions[-1] if self.actions else None
        if objects and last and last.turn == number - 1 and not _same(last.owner, who):
            _drop(last, self.actions)
            self._asked.append(_Open("need", last.sentences[0], last.turn, who, last.owner))
        promises = any(cues.PROMISE.search(self.said[index]) for index in head)
        for asked in self._recent(self._asked, number):
            if asked.kind == "offer":
                if (
                    asked.by != who
                    and number - asked.turn == 1
                    and any(cues.THANKS.match(self.said[index]) for index in head)
                ):
                    asked.kind = "done"
                    self._act([asked.index], asked.by, number)
            elif asked.kind in ("ask", "order") and (_same(asked.to, who) if asked.to else asked.by != who):
                if refuses:
                    asked.kind = "need"
                    _drop(asked.point, self.actions)
                elif assents and not promises:
                    asked.kind, promises = "done", True
                    if asked.point is None:
                        self._act([asked.index], who, number, dates.due(" ".join(self.said[index] for index in head)))
        if last and _same(last.owner, who) and last.due is None and number - last.turn <= _PATIENCE and not promises:
            last.due = next((day for index in head if (day := dates.limit_in(self.said[index]))), None)

    def _agree(self, who: str | None, number: int) -> None:
        """Take assent to what was proposed just before; to a mere thought only that of who leads the meeting."""
        for proposed in self._recent(self._proposed, number):
            full = len(self.content[proposed.index]) >= _FULL
            near = proposed.kind == "proposal" or (
                proposed.kind == "thought" and full and who == self._chair and number - proposed.turn == 1
            )
            if proposed.by != who and proposed.point is None and near:
                proposed.point = self._decide([proposed.index], number)
                return

    def _hear(self, index: int, who: str | None, number: int, assents: bool) -> None:
        said, question = self.said[index], self.said[index].endswith("?")
        if self.sentences[index].heading:
            return
        if cues.TASK_MARK.match(self.sentences[index].text):
            self._act([index], cues.assigned(said, self.names), number)
            return
        if cues.WITHDRAWN.search(said) and not question:
            self._withdraw(index, who)
        past = cues.PAST.search(said) is not None
        if not question and not past and self._concluded(index, who, number, assents):
            name = cues.assigned(said, self.names)
            if name and cues.CONCLUSION.search(said):
                self._act([index], name, number)
            return
        if (called := cues.addressed(said, self.names) or cues.addressed_outside(said)) is not None:
            self._request(index, who, number, *called)
        elif not question and not past and any(cue.search(said) for cue in (cues.PROMISE, cues.OFFER, cues.DELIVERY)):
            self._promise(index, who, number)
        elif not past and not question and (name := self._assigned(index)):
            self._act([index], name, number)
        elif cues.NEED.search(said):
            self._asked.append(_Open("need", index, number, who))
        elif (cues.ASKED.search(said) and not cues.THANKS.match(said)) or (
            cues.PLEASE.search(said) and not question and self.content[index] and cues.orders(said)
        ):
            self._asked.append(_Open("ask", index, number, who))
        if not past and not cues.PROCEDURE.search(said):
            strong = cues.STRONG.search(said)
            if strong or cues.PROPOSAL.search(said):
                self._proposed.append(_Open("proposal" if strong else "thought", index, number, who))

    def _assigned(self, index: int) -> str | None:
        """Return whose task a sentence tells of: somebody's in the room, or who is to be told of it by the speaker."""
        if (name := cues.assigned(self.said[index], self.names)) or index + 1 == len(self.said):
            return name
        told = cues.PROMISE.search(self.said[index + 1]) and len(self.content[index + 1]) < _FULL
        return (
            cues.assigned(self.said[index], ()) if told and self.speakers[index] == self.speakers[index + 1] else None
        )

    def _concluded(self, index: int, who: str | None, number: int, assents: bool) -> bool:
        """Say whether a sentence decides; what it decides may have been said before."""
        said, about = self.said[index], self.content[index]
        explicit = (cues.DECIDED.search(said) or cues.CLOSED.match(said)) and not cues.UNDECIDED.search(said)
        if not explicit and (
            not cues.CONCLUSION.search(said)
            or cues.UNREAL.search(said)
            or cues.PROCEDURE.search(said)
            or cues.WITHDRAWN.search(said)
        ):
            return False
        proposals = list(self._recent(self._proposed, number, _MEMORY))
        if len(about) < _FULL:
            last = next((proposed for proposed in proposals if proposed.kind != "refused"), None)
            if last and last.point is None and (explicit or (cues.WE_DO.search(said) and not cues.DENIED.search(said))):
                last.point = self._decide([last.index], number)
            return bool(explicit)
        topics = frozenset().union(*(self._topic(proposed.index) for proposed in proposals))
        related = len(about & topics) >= (1 if cues.WE_DO.search(said) else _FULL)
        backed = assents or self._before
        if cues.WE_DO.match(said):
            # "We open on the third" alone tells of something.
            related = backed = assents
        if explicit or related or (backed and (cues.WE_DO.search(said) or len(about) > _FULL)):
            point = self._decide([index], number)
            for proposed in proposals:
                proposed.point = proposed.point or point
            return True
        self._proposed.append(_Open("proposal", index, number, who))
        return False

    def _request(self, index: int, who: str | None, number: int, to: str, how: str) -> None:
        """A question or a remark waits for an answer; an order stands unless it is refused."""
        order = cues.PLEASE.search(self.said[index]) or (
            how[:1].islower() and not how.startswith(("you", "can", "could", "will", "would"))
        )
        kind = "order" if order and not self.said[index].endswith("?") else "ask"
        asked = _Open(kind, index, number, who, to)
        if kind == "order":
            asked.point = self._act([index], to, number)
        self._asked.append(asked)

    def _promise(self, index: int, who: str | None, number: int) -> None:
        """Join a promise to what it answers; an offer that answers nothing waits for thanks."""
        firm = cues.PROMISE.search(self.said[index]) is not None
        if who is None:
            return
        if cues.DELIVERY.search(self.said[index]) and not firm:
            own = [
                action
                for action in self.actions[-_LATEST:]
                if _same(action.owner, who) and number - action.turn <= _MEMORY
            ]
            if own:
                self._extend(max(reversed(own), key=lambda action: len(action.about & self.content[index])), index)
                return
        for asked in self._recent(self._asked, number):
            mine = _same(asked.to, who) if asked.to else asked.by != who or asked.kind == "need"
            if (asked.kind in ("ask", "order", "need") and mine) or (
                asked.kind == "offer" and asked.by == who and firm
            ):
                asked.kind = "done"
                empty = not self.content[asked.index] and self.content[index]
                self._act([index] if empty else [asked.index, index], who, number)
                return
        last = self.actions[-1] if self.actions else None
        if last and self._goes_on(last, index, who, number, firm):
            self._extend(last, index)
        elif firm:
            self._act([index], who, number)
        else:
            self._asked.append(_Open("offer", index, number, who))

    def _goes_on(self, last: Finding, index: int, who: str | None, number: int, firm: bool) -> bool:
        """Say whether a promise is about the task before, as in: Jonna should write the rota. I will ask her."""
        next_to, thin = last.sentences[-1] == index - 1, len(self.content[index]) < _FULL
        if _same(last.owner, who):
            return (thin and number - last.turn <= _PATIENCE) or (firm and next_to and not self.content[index - 1])
        return thin and next_to

    def _extend(self, point: Finding, index: int) -> None:
        """Add what the same person says further about a task: most often by when."""
        point.due = dates.due(self.said[index]) or point.due
        if index not in point.sentences and self._length([*point.sentences, index]) < _LONGEST and self.content[index]:
            point.sentences.append(index)
            point.about |= self.content[index]

    def _act(self, sentences: list[int], owner: str | None, number: int, day: str | None = None) -> Finding:
        following = sentences[-1] + 1
        days = (dates.limit_in(self.said[i]) or dates.due(self.said[i]) for i in reversed(sentences))
        day = next(filter(None, days), day)
        sentences = self._with_topic(sentences)
        if following < len(self.said) and self.speakers[following] == self.speakers[following - 1]:
            limit = dates.limit_in(self.said[following])
            if (
                limit
                and not cues.PROMISE.search(self.said[following])
                and not cues.addressed(self.said[following], self.names)
            ):
                sentences.append(following)
                day = limit
        said = " ".join(self.said[index] for index in sentences)
        point = Finding(sentences, number, transcripts.content(said, self._stems), owner, day)
        return self._kept(point, self.actions)

    def _decide(self, sentences: list[int], number: int) -> Finding:
        sentences = self._with_topic(sentences)
        said = " ".join(self.said[index] for index in sentences)
        point = Finding(sentences, number, transcripts.content(said, self._stems))
        return self._kept(point, self.decisions)

    def _kept(self, point: Finding, points: list[Finding]) -> Finding:
        """Add a point in the place of an earlier one that is about the same."""
        for earlier in islice(reversed(points), _LATEST):
            fewer = min(len(earlier.about), len(point.about))
            same = point.owner is None or _same(earlier.owner, point.owner)
            if same and point.turn - earlier.turn <= _MEMORY and len(earlier.about & point.about) > _ALIKE * fewer:
                point.due = point.due or earlier.due
                _drop(earlier, points)
                break
        points.append(point)
        return point

    def _with_topic(self, sentences: list[int]) -> list[int]:
        """Put the sentence before in front where these point at something without saying what it is."""
        sentences = list(dict.fromkeys(sentences))
        if (first := sentences[0]) and len(frozenset().union(*(self.content[i] for i in sentences))) < _FULL:
            before = range(max(0, first - 3), first)
            asked = [i for i in before if self.said[i].endswith("?") and self.content[i]]
            sentences.insert(0, asked[-1] if asked else max(before[-2:], key=lambda i: len(self.content[i])))
        while self._length(sentences) > _LONGEST and len(sentences) > 1:
            sentences.remove(min(sentences, key=lambda index: len(self.content[index])))
        return sentences

    def _length(self, sentences: list[int]) -> int:
        return self.sentences[sentences[-1]].end - self.sentences[sentences[0]].start

    def _topic(self, index: int) -> frozenset[str]:
        return frozenset().union(*(self.content[max(0, index - 1) : index + 1]))

    def _withdraw(self, index: int, who: str | None) -> None:
        """Leave out the task that the speaker gives back, or that the speaker before is asked not to do."""
        before = next((name for name in reversed(self.speakers[max(0, index - 20) : index]) if name != who), None)
        about = self._topic(index)
        owner = before if cues.YOU.search(self.said[index]) else who
        mine = [action for action in self.actions[-_LONG_AGO:] if _same(action.owner, owner) and action.about & about]
        if mine:
            _drop(max(reversed(mine), key=lambda action: len(action.about & about)), self.actions)

    @staticmethod
    def _recent(things: Iterable[_Open], number: int, turns: int = _PATIENCE) -> Iterator[_Open]:
        return (thing for thing in reversed(list(things)) if number - thing.turn <= turns)


def _drop(point: Finding | None, points: list[Finding]) -> None:
    """Remove one of the latest points; only those are looked at, so that many take linear time."""
    for place in range(len(points) - 1, max(-1, len(points) - 1 - _LONG_AGO), -1):
        if points[place] is point:
            del points[place]
            return


def _same(name: str | None, other: str | None) -> bool:
    return bool(name and other and set(name.lower().split()) & set(other.lower().split()))
