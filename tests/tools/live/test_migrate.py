"""`switchyard migrate`: passed by stages, rolled back by a gate, continued after a kill, stopped by another change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.process import takes_interrupts
from switchyard.client import Client, StackError
from switchyard.migrate import report
from switchyard.migrate.command import go_back
from switchyard.migrate.migration import ChangedByOthers, Migration
from switchyard.migrate.plan import Plan, Stage, StageLimits, stages
from switchyard.migrate.state import MigrationState, StateFile, now
from switchyard.migrate.verdicts import judge, same

pytestmark = pytest.mark.live

QUICK = StageLimits(hold_seconds=0, min_requests=5, min_shadow=5)


class Quiet:
    """A display that remembers the last words on the stage."""

    def __init__(self) -> None:
        self.words = ""

    def show(self, state: MigrationState, view: Any, judged: Any) -> None:
        self.words = judged.words


def begun(
    path: Path, client: Client, limits: StageLimits = QUICK, percents: str = "10,100", **more: Any
) -> tuple[StateFile, MigrationState]:
    plan = Plan("ollama", "vllm", "text", stages(percents, 20), limits, **more)
    file, state = StateFile(path / "migrate.json"), MigrationState(plan, client.url, now())
    file.write(state)
    return file, state


def reread(file: StateFile) -> MigrationState:
    found = file.read()
    assert found is not None
    return found


def test_every_stage_is_passed_in_turn_and_the_target_promoted(stack: Any, client: Client, tmp_path: Path) -> None:
    file, state = begun(tmp_path, client)
    Migration(client, file, state, Quiet(), 0.01).run()
    assert (state.outcome, stack.text["stable"], stack.text["previous"]) == ("promoted", "vllm", "ollama")
    steps = [
        (put["policy"]["roles"]["text"]["shadow_percent"], put["policy"]["roles"]["text"]["canary_percent"])
        for put in stack.puts
    ]
    assert steps == [(20, 0), (0, 10), (0, 100), (0, 0)]
    assert [put["why"] for put in stack.puts] == [
        "migration: shadow 20 %", "migration: canary 10 %", "migration: canary 100 %", "migration: promote",
    ]  # fmt: skip
    assert [passage.outcome for passage in state.passages] == ["passed"] * 4
    assert all(passage.followed["seconds"] for passage in state.passages)
    assert stack.roles["embeddings"]["stable"] == "ollama"
    assert reread(file) == state


def test_a_tripped_gate_ends_it_with_the_servers_numbers(stack: Any, client: Client, tmp_path: Path) -> None:
    stack.trip_at = 50
    file, state = begun(tmp_path, client, percents="10,50,100")
    Migration(client, file, state, Quiet(), 0.01).run()
    assert state.outcome == "rolled back"
    assert "40 % of 25 requests failed, at most 5 % (by gate)" in state.why
    assert (stack.text["stable"], stack.text["canary_percent"]) == ("ollama", 0)
    assert [passage.outcome for passage in state.passages] == ["passed", "passed", "rolled back"]
    assert reread(file).outcome == "rolled back"


@pytest.mark.parametrize(
    ("shadow", "fails", "words"),
    [
        ({"mean_similarity": 0.3}, 0, "mean similarity 0.30, at least 0.5"),
        ({"json_valid_rate": 0.8}, 0, "20 % broken JSON, at most 5 %"),
        ({"refusal_rate": {"stable": 0.1, "candidate": 0.4}}, 0, "30 % more refusals, at most 10 %"),
        ({}, 0.5, "50 % failed, at most 5 %"),
    ],
)
def test_a_shadow_that_is_worse_is_taken_back_before_any_user_sees_it(
    stack: Any, client: Client, tmp_path: Path, shadow: dict[str, Any], fails: float, words: str
) -> None:
    stack.shadow |= shadow
    stack.shadow_fails = fails
    file, state = begun(tmp_path, client)
    Migration(client, file, state, Quiet(), 0.01).run()
    assert state.outcome == "rolled back"
    assert words in state.why
    assert [put["policy"]["roles"]["text"]["canary_percent"] for put in stack.puts] == [0, 0]
    assert stack.text["shadow_percent"] == 0
    assert words in stack.puts[-1]["why"]


def test_too_little_traffic_waits_and_never_passes(stack: Any, client: Client, tmp_path: Path) -> None:
    stack.traffic = 0
    file, state = begun(tmp_path, client)
    looks = 0

    def look(_: Any) -> None:
        nonlocal looks
        looks += 1
        if looks > 6:
            raise KeyboardInterrupt

    class Watched(Quiet):
        def show(self, state: MigrationState, view: Any, judged: Any) -> None:
            super().show(state, view, judged)
            look(None)

    display = Watched()
    with pytest.raises(KeyboardInterrupt):
        Migration(client, file, state, display, 0.01).run()
    assert display.words == "waiting for traffic: 0 of 5 comparisons"
    assert (reread(file).stage, reread(file).outcome) == (0, None)
    assert stack.text["shadow_percent"] == 20


def test_somebody_elses_change_stops_it_and_leaves_theirs(stack: Any, client: Client, tmp_path: Path) -> None:
    def meddle(stand_in: Any) -> None:
        if stand_in.text["canary_percent"] == 10:
            stand_in.on_read = None
            stand_in.set_text("ops", "my own idea", canary_percent=33)

    stack.on_read = meddle
    file, state = begun(tmp_path, client)
    with pytest.raises(ChangedByOthers, match="ops changed the policy of text meanwhile: my own idea"):
        Migration(client, file, state, Quiet(), 0.01).run()
    assert stack.text["canary_percent"] == 33
    assert len(stack.puts) == 2
    with pytest.raises(ChangedByOthers):
        Migration(client, file, reread(file), Quiet(), 0.01).run()
    stack.set_text("ops", "as it was", canary_percent=10)
    Migration(client, file, reread(file), Quiet(), 0.01).run()
    assert stack.text["stable"] == "vllm"


def test_a_change_of_another_role_is_let_be(stack: Any, client: Client, tmp_path: Path) -> None:
    stack.stale = 2
    file, state = begun(tmp_path, client)
    Migration(client, file, state, Quiet(), 0.01).run()
    assert (state.outcome, stack.roles["vision"]["stable"]) == ("promoted", "vllm")


class Killed(BaseException):
    """Stands for kill -9: nothing after it runs but the finally blocks, of which there are none that write."""


class Dying(StateFile):
    """Dies before or after the n-th write."""

    def __init__(self, path: Path, at: int, *, before: bool) -> None:
        super().__init__(path)
        self.left = at
        self.before = before

    def write(self, state: MigrationState) -> None:
        self.left -= 1
        if self.left <= 0 and self.before:
            raise Killed
        super().write(state)
        if self.left <= 0:
            raise Killed


@pytest.mark.parametrize("before", [True, False])
def test_killed_at_any_write_it_goes_on_and_takes_no_step_twice(
    stack: Any, client: Client, tmp_path: Path, before: bool
) -> None:
    kills = 0
    for at in range(1, 100):
        stack.begin_anew()
        file, _ = begun(tmp_path, client, percents="10")
        try:
            Migration(client, Dying(file.path, at, before=before), reread(file), Quiet(), 0.01).run()
        except Killed:
            kills += 1
        Migration(client, file, reread(file), Quiet(), 0.01).run()
        assert reread(file).outcome == "promoted"
        assert stack.text.items() >= {"stable": "vllm", "canary_percent": 0, "shadow_percent": 0}.items()
        steps = [put["why"] for put in stack.puts]
        assert steps == ["migration: shadow 20 %", "migration: canary 10 %", "migration: promote"], (
            f"killed at write {at}"
        )
        if kills < at:
            break
    assert kills >= 10


def test_killed_while_taking_back_it_finishes_that(stack: Any, client: Client, tmp_path: Path) -> None:
    stack.shadow |= {"mean_similarity": 0.1}
    file, _ = begun(tmp_path, client)
    for at in range(1, 30):
        try:
            Migration(client, Dying(file.path, at, before=True), reread(file), Quiet(), 0.01).run()
        except Killed:
            continue
        break
    assert reread(file).outcome == "rolled back"
    assert [put["why"][:22] for put in stack.puts] == ["migration: shadow 20 %", "migration rolled back:"]
    assert stack.text["shadow_percent"] == 0


def test_embeddings_move_only_after_parity_and_only_if_asked(stack: Any, client: Client, tmp_path: Path) -> None:
    file, state = begun(tmp_path, client, percents="100", with_embeddings=True)
    state.parity = {"passed": True}
    Migration(client, file, state, Quiet(), 0.01).run()
    assert stack.roles["embeddings"]["stable"] == "vllm"
    assert go_back(client, file, state)
    assert [stack.roles[role]["stable"] for role in ("text", "embeddings")] == ["ollama", "ollama"]
    assert state.outcome == "rolled back"
    assert not go_back(client, file, state)


def test_going_back_leaves_the_trial_of_a_third_one_alone(stack: Any, client: Client, tmp_path: Path) -> None:
    file, state = begun(tmp_path, client)
    Migration(client, file, state, Quiet(), 0.01).run()
    stack.backends["other"] = ["text"]
    stack.set_text("ops", "the next one", candidate="other", canary_percent=5)
    assert go_back(client, file, state)
    assert stack.text.items() >= {"stable": "ollama", "candidate": "other", "canary_percent": 5}.items()
    assert not go_back(client, file, state)


def test_rolled_back_by_hand_it_ends(stack: Any, client: Client, tmp_path: Path) -> None:
    def by_hand(stand_in: Any) -> None:
        if stand_in.text["canary_percent"] == 10:
            stand_in.set_text("ops", "not today", candidate=None, canary_percent=0)

    stack.on_read = by_hand
    file, state = begun(tmp_path, client)
    Migration(client, file, state, Quiet(), 0.01).run()
    assert (state.outcome, state.why) == ("rolled back", "not today (by ops)")


def test_reports_are_named_by_when_the_migration_began(tmp_path: Path) -> None:
    plan = Plan("ollama", "vllm", "text", stages("100", 0), QUICK)
    begins = ("2026-11-21T15:29:02.987+00:00", "2026-11-21T16:30:00.000+00:00")
    written = [report.write(MigrationState(plan, "http://x", began), None, tmp_path).name for began in begins]
    assert written == ["migration-20261121T152902Z.html", "migration-20261121T163000Z.html"]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_stage_is_judged_by_time_and_sample_together() -> None:
    limits = StageLimits(hold_seconds=60, min_requests=20, min_shadow=20)
    canary = Stage("canary", 10)
    window = {"candidate_window": {"requests": 20}, "tripped": []}
    assert judge(canary, limits, 59, window, {}).passed is None
    assert judge(canary, limits, 60, window, {}).passed is True
    assert judge(canary, limits, 600, {"candidate_window": {"requests": 19}}, {}).words.startswith(
        "waiting for traffic"
    )
    assert judge(canary, limits, 600, {}, {}).passed is None
    tripped = {**window, "tripped": [{"gate": "max_error_rate", "value": 0.5, "limit": 0.05}]}
    assert judge(canary, limits, 600, tripped, {}).passed is None, "the server takes it back, this waits for that"
    shadow = Stage("shadow", 20)
    seen = {"done": 119, "failed": 1, "mean_similarity": None, "json_valid_rate": None}
    assert judge(shadow, limits, 60, seen, {"done": 100, "failed": 1}).sample == 19
    assert judge(shadow, limits, 60, seen, {"done": 500, "failed": 0}).sample == 120, "the server began anew"
    assert judge(shadow, limits, 60, seen, {}).passed is True


def test_no_canary_passes_before_the_gates_have_looked_at_it(stack: Any, client: Client, tmp_path: Path) -> None:
    # The server's gates want 20 requests; the migration needs 5.
    stack.window |= {"error_rate": 1.0}
    file, state = begun(tmp_path, client)

    def trip(stand_in: Any) -> None:
        if stand_in.text["canary_percent"] == 10 and stand_in.seen >= 15:
            stand_in.trip_at = 10

    stack.on_read = trip
    Migration(client, file, state, Quiet(), 0.01).run()
    assert (state.outcome, state.now.name) == ("rolled back", "canary 10 %")


def test_a_role_is_the_same_however_its_numbers_are_written() -> None:
    assert same(
        {"canary_percent": 10, "fallbacks": ["a"]}, {"canary_percent": 10.0, "fallbacks": ("a",), "previous": None}
    )
    assert not same({"canary_percent": 10}, {"canary_percent": 11})
    assert not same({"halted": False}, {"halted": True})


def test_stages_must_rise() -> None:
    assert [stage.name for stage in stages("5,25.5,100", 0)] == [
        "canary 5 %",
        "canary 25.5 %",
        "canary 100 %",
        "promote",
    ]
    for wrong in ("50,10", "0,10", "10,10", "101", "ten", ""):
        with pytest.raises(StackError, match="rising percents"):
            stages(wrong, 20)


def test_a_state_file_of_another_make_is_refused(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"version": 7}', '{"version": 1, "plan": {}}'):
        (tmp_path / "s").write_text(text)
        with pytest.raises(StackError, match="is not the state of a migration"):
            StateFile(tmp_path / "s").read()
    assert StateFile(tmp_path / "none").read() is None


# --- as typed


def migrate(stack: Any, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "switchyard", "migrate", "--from", "ollama", "--to", "vllm", "--url", stack.url]
    command += ["--state", str(folder / "migrate.json"), "--out", str(folder), "--hold", "0", *arguments]
    env = {**os.environ, "COLUMNS": "220", "SWITCHYARD_API_KEY": "sy-admin"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env, preexec_fn=takes_interrupts)


def test_the_whole_way_with_a_report(stack: Any, tmp_path: Path) -> None:
    (tmp_path / "q").write_text("Why?\nWhen?\n")
    child = migrate(stack, tmp_path, "--yes", "--questions", str(tmp_path / "q"), "--users", "1,2")
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    for words in (
        "vllm answers for text: llama3.2",
        "each backend may be the other's fallback",
        "promoted: vllm is stable",
        "--rollback",
    ):
        assert words in out
    (written,) = tmp_path.glob("migration-*.json")
    assert written.with_suffix(".html").name in out
    found = json.loads(written.read_text())
    assert [each["name"] for each in found["migration"]["passages"]][-1] == "promote"
    assert found["comparison"]["complete"] is True
    page = written.with_suffix(".html").read_text()
    assert "canary 50 %" in page
    assert "tokens/s against" in page
    back = migrate(stack, tmp_path, "--rollback")
    assert "text is back on ollama" in back.communicate(timeout=60)[0]
    assert stack.text["stable"] == "ollama"


def test_a_gate_makes_it_fail_with_the_reason(stack: Any, tmp_path: Path) -> None:
    stack.trip_at = 10
    child = migrate(stack, tmp_path, "--yes")
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "rolled back: gate max_error_rate: 40 % of 25 requests failed, at most 5 %" in out
    (page,) = tmp_path.glob("migration-*.html")
    assert "rolled back" in page.read_text()
    # The gate has left the candidate's name; what goes back is the trial, not the stable backend.
    assert "text is back on ollama" in migrate(stack, tmp_path, "--rollback").communicate(timeout=60)[0]
    assert (stack.text["stable"], stack.text["candidate"]) == ("ollama", None)


def test_a_dry_run_says_every_number_and_changes_nothing(stack: Any, tmp_path: Path) -> None:
    child = migrate(stack, tmp_path, "--dry-run", "--stages", "5,100", "--min-requests", "37", "--min-shadow", "41")
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    for words in (
        "shadow 20 %",
        "canary 5 %",
        "canary 100 %",
        "37 requests",
        "41 comparisons",
        "max error rate 0.05",
        "nothing was changed",
    ):
        assert words in out
    assert not stack.puts
    assert stack.revision == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"check": {"detail": "connection refused"}}, "vllm does not serve text: connection refused"),
        ({"ready": False}, "the rag service is not ready: text: text is loading for 3 s"),
        ({"backends": {"ollama": ["text"]}}, "vllm does not serve text here; there are ollama"),
    ],
)
def test_preflight_refuses_in_words(stack: Any, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    for name, value in change.items():
        setattr(stack, name, value)
    child = migrate(stack, tmp_path, "--yes")
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert words in err
    assert not stack.puts


def test_preflight_knows_a_halt_another_candidate_and_another_stable(stack: Any, tmp_path: Path) -> None:
    stack.set_text("ops", "x", halted=True, candidate="embedded", canary_percent=5, stable="other")
    _, err = migrate(stack, tmp_path, "--yes").communicate(timeout=60)
    for words in ("text is halted", "there is a trial of embedded", "text is served by other, not by ollama"):
        assert words in err


def test_a_failed_parity_is_said_with_the_way_to_move_and_stops_nothing(stack: Any, tmp_path: Path) -> None:
    stack.parity |= {"passed": False, "cosine": 0.12}
    out, _ = migrate(stack, tmp_path, "--yes", "--with-embeddings").communicate(timeout=60)
    assert "embeddings are not in one space (cosine 0.1200" in out
    assert "`switchyard reindex --provider vllm` moves them" in out
    assert (stack.text["stable"], stack.roles["embeddings"]["stable"]) == ("vllm", "ollama")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_it_leaves_the_policy_and_goes_on_when_started_again(
    stack: Any, tmp_path: Path, number: signal.Signals
) -> None:
    stack.on_read = lambda found: setattr(found, "traffic", 0 if found.text["canary_percent"] == 50 else 50)
    child = migrate(stack, tmp_path, "--yes")
    end = time.monotonic() + 60
    reads = 0
    while time.monotonic() < end and (stack.text["canary_percent"] != 50 or stack.reads < reads + 3):
        reads = stack.reads if stack.text["canary_percent"] != 50 else reads
        time.sleep(0.02)
    child.send_signal(number)
    out, _ = child.communicate(timeout=60)
    assert (stack.text["canary_percent"], stack.text["stable"]) == (50, "ollama")
    if number is signal.SIGINT:
        assert child.returncode == 130
        assert "interrupted at canary 50 %: the policy stays as it is" in out
        where = f"--state {tmp_path / 'migrate.json'}"
        assert (
            f"to continue:   switchyard migrate --from ollama --to vllm --hold 0 {where} --out {tmp_path} --url {stack.url}\n"
            in out
        )
        assert (
            f"to roll back:  switchyard migrate --from ollama --to vllm {where} --url {stack.url} --rollback\n" in out
        )
    stack.on_read = None
    stack.traffic = 50
    other = migrate(stack, tmp_path, "--yes", "--role", "vision")
    assert "holds an unfinished migration of text" in other.communicate(timeout=60)[1]
    again = migrate(stack, tmp_path, "--yes")
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert "continuing the migration of" in out
    assert [put["why"] for put in stack.puts].count("migration: canary 50 %") == 1
    assert stack.text["stable"] == "vllm"


def test_without_a_terminal_it_asks_for_yes(stack: Any, tmp_path: Path) -> None:
    _, err = migrate(stack, tmp_path).communicate(timeout=60)
    assert "not a terminal: pass --yes" in err
    assert not stack.puts
