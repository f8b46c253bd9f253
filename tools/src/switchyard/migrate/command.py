"""What `switchyard migrate` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from switchyard import transitions
from switchyard.client import Client, StackError
from switchyard.compare.load import Setting
from switchyard.migrate import report
from switchyard.migrate.display import Screen, stage_table
from switchyard.migrate.migration import PROMOTED, ROLLED_BACK, ChangedByOthers, Migration
from switchyard.migrate.plan import Plan, in_words
from switchyard.migrate.preflight import parity, parity_in_words, preflight
from switchyard.migrate.state import MigrationState, StateFile, now
from switchyard.output import confirmed, console, say
from switchyard.policy import change, follow, read
from switchyard.reports import publish
from switchyard.transitions import Policy, role_of

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Options:
    """How to migrate; `questions` None: no comparison at the end; `again` and `back` are the commands to continue and to roll back."""

    state: Path
    out: Path
    questions: Path | None
    users: tuple[int, ...]
    again: str
    back: str
    yes: bool = False
    dry_run: bool = False
    fresh: bool = False


def run(client: Client, key: str, plan: Plan, options: Options) -> int:
    """Migrate, or continue the migration in the state file; return the exit status."""
    file = StateFile(options.state)
    state = None if options.fresh else file.read()
    if state is not None and state.outcome is None and not options.dry_run:
        _require_same(state, plan, client, options)
        say(f"continuing the migration of {state.began} at {state.now.name}, with its own limits")
    else:
        new = _begin(client, plan, options)
        if new is None:
            return 0
        state = new
        file.write(state)
    try:
        with Screen() as screen:
            Migration(client, file, state, screen).run()
    except KeyboardInterrupt:
        console.print(stage_table(state, "interrupted"))
        say(_where(state, options))
        return INTERRUPTED
    except StackError as error:
        raise type(error)(_stopped(error, state, options), status=error.status) from error
    console.print(stage_table(state, ""))
    say(f"{state.outcome}: {state.why}")
    if state.outcome == PROMOTED:
        say(f"to roll back: {options.back}")
    path = report.write(state, _comparison(client, key, state, options), options.out)
    say(f"{path} and {path.with_suffix('.json').name}")
    publish(client, "migration", f"{report.title(state)}: {state.outcome}", path.read_text(encoding="utf-8"))
    return 0 if state.outcome == PROMOTED else 1


def take_back(client: Client, path: Path) -> None:
    """Roll back the migration in the state file, whether it is running or finished."""
    file = StateFile(path)
    state = file.read()
    if state is None:
        raise StackError(f"there is no migration in {path}; `switchyard providers rollback` needs none")
    plan = state.plan
    if go_back(client, file, state):
        say(f"{plan.role} is back on {plan.source}")
    else:
        say(f"nothing to roll back: {plan.target} has no share of {plan.role}")


def go_back(client: Client, file: StateFile, state: MigrationState) -> bool:
    """Roll a migration back at any stage; return whether there was anything to roll back."""
    plan = state.plan

    def step(policy: Policy) -> Policy:
        current = role_of(policy, plan.role)
        if current.get("candidate") == plan.target:
            policy = transitions.rollback(policy, plan.role)
        elif current["stable"] == plan.target and current.get("previous") == plan.source:
            # Not `rollback`: there may be a trial of a third backend by now.
            policy = transitions.revert(policy, plan.role)
        if state.parity.get("moved") and role_of(policy, "embeddings")["stable"] == plan.target:
            policy = transitions.use(policy, "embeddings", plan.source)
        return policy

    before, after = change(client, step, f"migration from {plan.source} to {plan.target} rolled back by hand", say)
    state.outcome, state.why, state.intended = ROLLED_BACK, "by hand", None
    if state.passage is not None and state.passage.ended is None:
        state.passage.ended, state.passage.outcome = now(), ROLLED_BACK
    file.write(state)
    if before["revision"] == after["revision"]:
        return False
    follow(client, after["revision"], say)
    return True


def _begin(client: Client, plan: Plan, options: Options) -> MigrationState | None:
    view = read(client)
    for line in in_words(plan, view["policy"]["gates"]):
        say(line)
    for line in preflight(client, plan, view):
        say(line)
    if options.dry_run:
        say("dry run: nothing was changed")
        return None
    if not options.yes and not confirmed("start?"):
        return None
    state = MigrationState(plan, client.url, now(), parity=parity(client, plan), gates=view["policy"]["gates"])
    say(parity_in_words(state.parity, plan))
    return state


def _require_same(state: MigrationState, plan: Plan, client: Client, options: Options) -> None:
    saved = state.plan
    same = (saved.source, saved.target, saved.role, state.url) == (plan.source, plan.target, plan.role, client.url)
    if not same:
        raise StackError(
            f"{options.state} holds an unfinished migration of {saved.role} from {saved.source} to {saved.target} at "
            f"{state.url}: finish it, roll it back with --rollback, forget it with --fresh, or name another --state"
        )


def _where(state: MigrationState, options: Options) -> str:
    return (
        f"interrupted at {state.now.name}: the policy stays as it is, and its gates stay active\n"
        f"  to continue:   {options.again}\n  to roll back:  {options.back}"
    )


def _stopped(error: StackError, state: MigrationState, options: Options) -> str:
    if isinstance(error, ChangedByOthers):
        return (
            f"{error}. The migration stopped at {state.now.name} and left the policy as it is: put it back and start this "
            "again, roll it back with --rollback, or start over with --fresh"
        )
    return f"{error}\n{_where(state, options)}"


def _comparison(client: Client, key: str, state: MigrationState, options: Options) -> dict[str, object] | None:
    if options.questions is None:
        return None
    if state.plan.role != "text":
        say(f"no comparison: it needs the role text, and this was {state.plan.role}")
        return None
    from switchyard.compare.command import show
    from switchyard.compare.comparison import compare

    plan = state.plan
    setting = Setting(client.url, key, (plan.source, plan.target), options.users, collection=plan.collection)
    try:
        result = compare(setting, options.questions)
    except StackError as error:
        say(f"no comparison: {error}")
        return None
    show(result)
    return result
