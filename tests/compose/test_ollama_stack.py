"""The Ollama stack in Docker: from a clean copy, through kills, down and up, backup and restore."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from compose.load import Load, until
from compose.stack import OLLAMA, PORTS, Stack
from compose.use import QUESTIONS, add, ask_streamed, complete, state
from harness.browser import launched
from switchyard.page import POLICY
from switchyard.services import SERVICES

pytestmark = pytest.mark.compose
NAMES = tuple(service.name for service in SERVICES)
CONTAINERS = ("gateway", *NAMES, "chroma", "ollama")
# What a page that needs no key may be asked for, and what the anonymous allowance is.
ALLOWANCE = 10


@pytest.fixture(scope="module")
def stack(folder: Path, gateway_base: None) -> Iterator[Stack]:
    made = Stack(folder, OLLAMA)
    made.down("-v")
    assert not (folder / ".env").exists()
    print(f"\nOllama stack: green {made.up():.0f} s after `docker compose up -d --build --wait`")
    yield made
    made.down("-v")


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    return stack.key()


def test_all_is_healthy_and_the_models_came_with_progress(stack: Stack) -> None:
    for service in CONTAINERS:
        stack.await_healthy(service, seconds=1)
    said = stack.compose("logs", "--no-log-prefix", "ollama-models")
    for model in ("llama3.2", "nomic-embed-text", "llava"):
        assert f"{model}: 1000 of 2000 MB (50 %)" in said
    assert "all models are here" in said


def test_no_key_is_in_the_logs(stack: Stack, key: str) -> None:
    logs = stack.compose("logs")
    assert "an admin key was made" in logs
    assert key not in logs


def test_through_the_gateway_a_document_a_question_a_note_and_a_scan(stack: Stack, key: str) -> None:
    with stack.client(key) as client:
        add(client, "/rag", "handbook.md", "climate-manual.pdf", "pump-inspection-scan.pdf")
        came, done = ask_streamed(client, "/rag", QUESTIONS[0])
        assert done["citations"][0]["quote"]
        # The pieces came one after the other: nobody on the way held them back.
        assert came[-1] - came[0] > 0.3
        note = client.post("/notes/v1/notes", json={"text": "Anna: I will send the report by Friday."})
        assert note.status_code == 201, note.text
        scan = {"file": ("frost.png", (Path(stack.folder) / "examples" / "frost-rota-photo.png").read_bytes())}
        read = client.post("/doc-processor/v1/process", files=scan)
        assert read.status_code == 200, read.text
        assert "frost" in json.dumps(read.json()).lower()


def test_the_page_through_the_gateway(stack: Stack, key: str) -> None:
    # Closed again at the end: Playwright's event loop keeps tests that are coroutines from running.
    with launched() as browser:
        use_the_page(browser, stack, key)


def use_the_page(browser: Browser, stack: Stack, key: str) -> None:
    page = browser.new_context().new_page()
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: request.url.startswith(stack.url) or faults.append(request.url))
    page.goto(stack.url)
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("textbox", name="Question", exact=True).fill(QUESTIONS[0])
    page.get_by_role("button", name="Ask", exact=True).click()
    page.locator(".chip").first.click()
    expect(page.locator(".quoted, .view mark").first).to_be_visible()
    # A session is no stranger, whose allowance this would pass.
    for view in ("documents", "notes", "engines", "keys") * 3:
        page.goto(f"{stack.url}/#/{view}")
        expect(page.locator(f'#nav [data-view="{view}"][aria-current]')).to_be_visible()
        expect(page.locator("h1").first).to_be_visible()
    assert faults == []
    page.context.close()


def test_by_each_services_own_port(stack: Stack, key: str) -> None:
    with stack.client(key, stack.own_url("rag-service")) as client:
        add(client, "", "suppliers.txt")
        assert ask_streamed(client, "", QUESTIONS[1])[1]["citations"]
    with stack.client(key, stack.own_url("notes-service")) as client:
        assert client.post("/v1/notes", json={"text": "Ben: I order the pots on Monday."}).status_code == 201
    with stack.client(key, stack.own_url("doc-processor")) as client:
        text = {"file": ("a.txt", b"Read this, please.")}
        assert "Read this" in client.post("/v1/process", files=text).text
        assert "switchyard_http_requests_total" in client.get("/metrics").text


def test_by_the_openai_sdk(stack: Stack, key: str) -> None:
    text, citations = complete(f"{stack.url}/rag/v1", key, QUESTIONS[0])
    assert text
    assert citations


def test_the_gateway_keeps_what_it_promises(stack: Stack, key: str) -> None:
    with stack.client() as client:
        page = client.get("/")
        assert "Switchyard" in page.text
        assert page.headers["content-security-policy"] == POLICY
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "nginx/" not in page.headers["server"]
        assert client.get("/healthz").json() == {"status": "alive"}
        docs = client.get("/rag/docs")
        assert "/rag/openapi.json" in docs.text
        assert client.get("/rag/openapi.json").json()["info"]["title"] == "rag-service"
        assert client.get("/rag/metrics").status_code == 404
        # A request id of one's own comes back, and is logged on the way and at the end.
        assert client.get("/rag/health", headers={"X-Request-ID": "mine-1"}).headers["x-request-id"] == "mine-1"
        refused = [client.get("/rag/v1/documents").status_code for _ in range(ALLOWANCE + 5)]
        assert refused.count(401) in (ALLOWANCE, ALLOWANCE + 1)
        assert set(refused) == {401, 429}
        last = client.get("/rag/v1/documents")
        assert last.json()["type"] == "urn:switchyard:problem:too-many-requests"
        assert int(last.headers["retry-after"]) > 0
        # Pages that need no key go on.
        assert client.get("/rag/health").status_code == 200
    with stack.client(key) as client:
        assert client.get("/rag/v1/documents").status_code == 200
    # Refused by what it says of its size, before a byte of it is sent.
    connection = HTTPConnection("127.0.0.1", int(PORTS["GATEWAY_PORT"]), timeout=10)
    connection.putrequest("POST", "/rag/v1/documents")
    connection.putheader("Content-Length", str(300_000_000))
    connection.putheader("Authorization", f"Bearer {key}")
    connection.endheaders()
    huge = connection.getresponse()
    assert huge.status == 413
    assert json.loads(huge.read())["type"] == "urn:switchyard:problem:too-large"
    connection.close()


def test_engines_and_chroma_cannot_be_reached(stack: Stack) -> None:
    targets = {(stack.address("chroma"), 8000), (stack.address("ollama"), 11434)}
    stack.command("docker", "network", "create", "switchyard-test-elsewhere")
    try:
        for address, port in targets:
            code = f"import socket; socket.create_connection(({address!r}, {port}), 3)"
            for network in ("switchyard-test-elsewhere", "switchyard-test_edge", "switchyard-test_download"):
                assert stack.run_on(network, code).returncode != 0, (network, address)
            # From where they may be reached, the same code does it.
            stack.compose("exec", "-T", "rag-service", "python", "-c", code)
    finally:
        stack.command("docker", "network", "rm", "switchyard-test-elsewhere")
    for service in ("chroma", "ollama", "ollama-models"):
        ports = stack.inspect(service)["NetworkSettings"]["Ports"] or {}
        assert not any(ports.values()), service


def test_only_the_one_shots_have_a_way_out(stack: Stack) -> None:
    # Where the image's own packages come from is outside, and there.
    listed = stack.run_on(
        "none", "import glob; print(*[open(f).read() for f in glob.glob('/etc/apt/sources.list*/*')])"
    )
    mirror = urlsplit(next(word for word in listed.stdout.split() if word.startswith("http")))
    host, port = mirror.hostname, mirror.port or {"http": 80, "https": 443}[mirror.scheme]
    code = f"import socket; socket.create_connection((socket.gethostbyname({host!r}), {port}), 5)"
    assert stack.run_on("switchyard-test_download", code).returncode == 0, f"this machine does not reach {host}"
    assert stack.run_on("switchyard-test_edge", code).returncode != 0
    assert stack.run_on("switchyard-test_backend", code).returncode != 0
    for service in NAMES:
        done = stack.command("docker", "compose", "exec", "-T", service, "python", "-c", code, check=False)
        assert done.returncode != 0, service


def test_containers_run_without_rights(stack: Stack) -> None:
    for service in NAMES:
        identity = stack.compose("exec", "-T", service, "id", "-u").strip()
        assert identity == "10001", service
        for where in ("/app/x", "/etc/x", "/usr/x", *(["/data/auth/x"] if service == "doc-processor" else [])):
            done = stack.command("docker", "compose", "exec", "-T", service, "touch", where, check=False)
            assert "Read-only file system" in done.stderr, (service, where)
        status = stack.compose("exec", "-T", service, "cat", "/proc/1/status")
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status


def test_images_are_small(stack: Stack) -> None:
    limits = {"gateway": 450, "rag-service": 470, "notes-service": 450, "doc-processor": 850, "graph-service": 450}
    for service, limit in limits.items():
        [image] = json.loads(stack.command("docker", "image", "inspect", stack.inspect(service)["Image"]).stdout)
        print(f"{service}: {image['Size'] / 1e6:.0f} MB")
        assert image["Size"] < limit * 1e6, service


def test_health_is_red_while_the_engine_makes_no_token(stack: Stack) -> None:
    """Processes run and ports answer all the same: what counts is whether the thing does its work."""
    ask = "import json, urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:11434/_script', json.dumps({}).encode()))"
    fault = {"fault": {"kind": "status", "status": 503}, "path": "/api/chat", "every": 1}
    stack.inside("ollama", ask.format(fault))
    try:
        for service in ("rag-service", "notes-service"):
            said = stack.await_unhealthy(service)
            assert said.startswith("text: "), said
        # The gateway itself is well, and says whose fault it is.
        with stack.client() as client:
            shown = client.get("/rag/readyz")
            assert shown.status_code == 503
            assert int(shown.headers["retry-after"]) > 0
    finally:
        stack.inside("ollama", ask.format({}))
    for service in ("rag-service", "notes-service"):
        stack.await_healthy(service)


def test_health_is_red_while_ollama_lacks_its_model(stack: Stack) -> None:
    model = "/var/lib/ollama/.ollama/models/llama3.2"
    stack.inside("ollama", f"import os; os.rename({model!r}, {model!r} + '.away')")
    try:
        assert "llama3.2 is not in memory" in stack.await_unhealthy("ollama")
    finally:
        stack.inside("ollama", f"import os; os.rename({model!r} + '.away', {model!r})")
    stack.await_healthy("ollama")


@pytest.mark.parametrize("service", CONTAINERS)
def test_a_killed_container_comes_back_and_nothing_acknowledged_is_lost(stack: Stack, key: str, service: str) -> None:
    with Load(stack, key, f"the day {service} died") as load:
        until(lambda: load.answered >= 2 and load.documents and load.notes)
        before = stack.kill(service)
        seconds = stack.await_healthy(service, since=before)
        answered = load.answered
        until(lambda: load.answered > answered)
    load.settle()
    print(
        f"{service}: healthy after {seconds:.0f} s; {load.answered} answered ({load.degraded} degraded), "
        f"{len(load.documents)} documents and {len(load.notes)} notes kept, {len(load.refused)} refused, "
        f"{len(load.unreachable)} unreachable"
    )
    for refusal in load.refused:
        assert refusal.status_code == 503, refusal.text
        assert int(refusal.headers["retry-after"]) > 0
        assert refusal.headers["content-type"] == "application/problem+json", refusal.text
    # Only who kills the door finds it shut.
    assert service == "gateway" or not load.unreachable


def test_down_and_up_again_gives_the_same_answers(stack: Stack, key: str) -> None:
    before = state(stack, key)
    assert len(before["documents"]) >= 4
    assert all(citations for _, citations, _ in before["answers"])
    stack.make("down")
    stack.up()
    assert stack.key() == key
    assert state(stack, key) == before


def test_backup_and_restore_give_the_same_answers(stack: Stack, key: str, tmp_path: Path) -> None:
    before = state(stack, key)
    said = stack.make("backup", f"FOLDER={tmp_path}")
    print(said)
    [archive] = tmp_path.glob("*.tar.gz")
    assert archive.stat().st_mode & 0o777 == 0o600
    with stack.client(key) as client:
        client.post("/rag/v1/documents", json={"text": "This came after the backup.", "title": "Later"})
    stack.down("-v")
    stack.make("restore", f"FILE={archive}")
    stack.up()
    assert stack.key() == key
    assert state(stack, key) == before


def test_a_secret_of_ones_own_is_a_file_and_shown_nowhere(stack: Stack, key: str) -> None:
    secret = "sy-an-admin-key-of-my-own"
    file = stack.folder / "secrets" / "admin-api-key"
    file.write_text(secret)
    (stack.folder / ".env").write_text("ADMIN_API_KEY_FILE=./secrets/admin-api-key\nMAX_UPLOAD_MB=1\n")
    try:
        stack.up()
        for one in (secret, key):
            with stack.client(one) as client:
                assert client.get("/rag/v1/documents").status_code == 200
                # The other line of .env came through as well, to the gateway and to the services.
                large = client.post("/rag/v1/documents", files={"files": ("a.txt", b"a" * 1_500_000)})
                assert large.status_code == 413, large.text
        shown = stack.compose("config") + stack.compose("logs")
        shown += "".join(json.dumps(stack.inspect(service)) for service in CONTAINERS)
        assert secret not in shown
    finally:
        (stack.folder / ".env").unlink()
        file.unlink()
