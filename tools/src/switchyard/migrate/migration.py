"""A running migration: each stage is set, watched, and passed or rolled back; every step is in the state file first."""

from __future__ import annotations

import time
from dataclasses import asdict

from switchyard import transitions
from switchyard.client import Client, StackError
from switchyard.migrate.display import Screen
from switchyard.migrate.plan import Stage
from switchyard.migrate.state import MigrationState, StageRun, StateFile, now
from switchyard.migrate.verdicts import counts, figures, judge, rolled_back, same, with_gates
from switchyard.output import say
from switchyard.policy import View, change, follow, put, read
from switchyard.transitions import Transition, role_of

PROMOTED, ROLLED_BACK = "promoted", "rolled back"
_ROLLING_BACK = "rolling back"
_RETRY_SECONDS = 60
_NO_ANSWER = (None, 502, 503, 504)


class ChangedByOthers(StackError):
    """The policy is not as the migration left it: it was changed by others."""


class Migration:
    """Carries `state` to its end; may be killed at any moment and continued from the state file."""

    def __init__(
        self, client: Client, file: StateFile, state: MigrationState, display: Screen, poll_seconds: float = 0.5
    ) -> None:
        self._client = client
        self._file = file
        self._state = state
        self._display = display
        self._poll_seconds = poll_seconds

    def run(self) -> None:
        """Run until it is promoted or rolled back; raises `ChangedByOthers` and `StackError`, and can be continued after them."""
        state = self._state
        while state.outcome is None:
            stage = state.now
            view = self._enter(stage)
            if state.outcome is None and (stage.kind == "promote" or self._hold(stage, view)):
                self._pass(stage)

    def _enter(self, stage: Stage) -> View:
        """Set the policy for a stage, unless that was done before."""
        state, view = self._state, self._read()
        if state.passage is not None and state.passage.outcome == _ROLLING_BACK:
            self._roll_back(state.why)
            return view
        if state.passage is not None and state.intended is None:
            self._verify(view)
            return view
        if state.passage is None:
            shadow = counts(figures(stage, view, state.plan.role)) if stage.kind == "shadow" else {}
            state.passages.append(StageRun(stage.name, now(), base=shadow))
            state.left = state.left or role_of(view["policy"], state.plan.role)
            self._verify(view)
            if state.outcome is not None:
                return view
            state.intended = role_of(state.plan.step(stage, view["policy"]), state.plan.role)
            self._file.write(state)
        after = self._set(lambda policy: state.plan.step(stage, policy), f"migration: {stage.name}")
        if state.outcome is None and state.passage is not None:
            followed = follow(self._client, after["revision"], lambda line: say(f"{stage.name}: {line}"))
            state.passage.followed = asdict(followed)
        return after

    def _hold(self, stage: Stage, view: View) -> bool:
        """Watch until the stage is passed; return False if it was rolled back instead."""
        state, passage = self._state, self._state.passage
        assert passage is not None
        last_read = time.monotonic()
        while True:
            self._verify(view)
            if state.outcome is not None:
                return False
            seen = figures(stage, view, state.plan.role)
            limits = with_gates(state.plan.limits, view["policy"]["gates"])
            judged = judge(stage, limits, passage.held, seen, passage.base)
            passage.seen, passage.sample = seen, judged.sample
            self._file.write(state)
            self._display.show(state, view, judged)
            if judged.passed is not None:
                return judged.passed or self._roll_back(judged.words)
            time.sleep(self._poll_seconds)
            view = self._read()
            # A machine that slept did not watch: count the time between two reads, but no long gaps.
            moment = time.monotonic()
            passage.held += min(moment - last_read, max(5.0, 2 * self._poll_seconds))
            last_read = moment

    def _pass(self, stage: Stage) -> None:
        state, passage = self._state, self._state.passage
        assert passage is not None
        passage.ended, passage.outcome = now(), "passed"
        if stage.kind == "promote":
            self._move_embeddings()
            state.outcome, state.why = PROMOTED, f"{state.plan.target} is stable"
        else:
            state.stage += 1
        self._file.write(state)

    def _roll_back(self, why: str) -> bool:
        state, passage = self._state, self._state.passage
        assert passage is not None
        passage.outcome, state.why = _ROLLING_BACK, why
        self._file.write(state)
        self._set(lambda policy: transitions.rollback(policy, state.plan.role), f"migration rolled back: {why}")
        self._end(ROLLED_BACK, why)
        return False

    def _end(self, outcome: str, why: str) -> None:
        state = self._state
        state.outcome, state.why, state.intended = outcome, why, None
        if state.passage is not None:
            state.passage.ended, state.passage.outcome = now(), outcome
        self._file.write(state)

    def _move_embeddings(self) -> None:
        """Move the embeddings if the plan says so and parity has passed; a refusal is shown, not raised."""
        state, plan = self._state, self._state.plan
        if not (plan.with_embeddings and state.parity.get("passed")) or state.parity.get("moved"):
            return
        try:
            change(
                self._client,
                lambda policy: transitions.use(policy, "embeddings", plan.target),
                "migration: embeddings, after parity",
                say,
            )
            state.parity["moved"] = True
            say(f"embeddings are served by {plan.target}")
        except StackError as error:
            state.parity["moved"] = False
            say(f"embeddings stay where they are: {error}")

    def _set(self, step: Transition, why: str) -> View:
        """Take a step on the role from the policy as it was left, and from no other; other roles may change meanwhile."""
        state, role = self._state, self._state.plan.role
        end = time.monotonic() + _RETRY_SECONDS
        while True:
            view = self._read()
            here = role_of(view["policy"], role)
            if state.intended is None or not same(here, state.intended):
                if not same(here, state.left):
                    self._verify(view)
                    return view
                policy = step(view["policy"])
                state.intended = role_of(policy, role)
                self._file.write(state)
                try:
                    view = put(self._client, view, policy, why)
                except StackError as error:
                    if error.status != 409 and (error.status not in _NO_ANSWER or time.monotonic() > end):
                        raise
                    # Another change came first, or the answer was lost: read the policy again.
                    continue
            state.left, state.intended = role_of(view["policy"], role), None
            self._file.write(state)
            return view

    def _verify(self, view: View) -> None:
        """Stop if the policy is not as it was left; end the migration if its candidate was put back to 0."""
        state, role = self._state, self._state.plan.role
        if same(role_of(view["policy"], role), state.left):
            return
        if (why := rolled_back(view, state.left, role)) is not None:
            self._end(ROLLED_BACK, why)
            return
        changed = view["changed"]
        raise ChangedByOthers(f"{changed['by']} changed the policy of {role} meanwhile: {changed['why']}")

    def _read(self) -> View:
        """Read the policy; wait up to a minute for a stack that does not answer."""
        end = time.monotonic() + _RETRY_SECONDS
        while True:
            try:
                return read(self._client)
            except StackError as error:
                if error.status not in _NO_ANSWER or time.monotonic() > end:
                    raise
                say(f"the stack does not answer: {error}")
            time.sleep(1)
