"""Sign-in by the team's own identity provider: a real provider, and the browser between it and the stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from browser.site import Site, serving_page
from clients.environment import install
from harness.ports import free_port

pytestmark = pytest.mark.browser
GROUPS = {"it": {"admin": True}, "planning": {"collections": ["plans"]}}


@pytest.fixture(scope="module")
def team(browser: Browser, embedded_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A stack whose people sign in at a provider of their own."""
    clients, folder = install(), tmp_path_factory.mktemp("team")
    issuer_port, port = free_port(), free_port()
    redirect = f"http://127.0.0.1:{port}/rag/v1/session/oidc/callback"
    # Node.js looks for packages beside the script.
    script = copy(Path(__file__).with_name("provider.mjs"), clients.modules / f"provider-{issuer_port}.mjs")
    provider = subprocess.Popen(
        [clients.node, script, str(issuer_port), redirect], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    settings = {
        "OIDC_ISSUER": f"http://127.0.0.1:{issuer_port}",
        "OIDC_CLIENT_ID": "switchyard",
        "OIDC_CLIENT_SECRET": "client-secret-of-the-tests",
        "OIDC_REDIRECT_URL": redirect,
        "OIDC_GROUPS": json.dumps(GROUPS),
    }
    try:
        assert provider.stdout is not None
        assert any("ready" in line for line in provider.stdout)
        with serving_page(browser, folder, embedded_model_dir, port=port, **settings) as site:
            yield site
            site.process.kill(signal.SIGTERM)
    finally:
        provider.terminate()
        provider.communicate(timeout=20)
        os.unlink(script)


@pytest.fixture
def page(team: Site) -> Iterator[Page]:
    context = team.browser.new_context()
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


def sign_in(team: Site, page: Page, login: str) -> None:
    page.goto(team.url)
    page.get_by_role("link", name="Sign in with your organisation").click()
    page.locator("input[name=login]").fill(login)
    page.locator("input[name=password]").fill("any")
    page.locator("button[type=submit]").click()
    page.locator("button[type=submit]").click()  # may this client know your name and groups?


def test_rights_follow_from_groups(team: Site, page: Page) -> None:
    sign_in(team, page, "anna@planning")
    expect(page.locator("#account summary")).to_have_text("anna")
    expect(page.locator("#nav a")).to_have_count(5)
    page.locator("#account summary").click()
    expect(page.locator("#account")).to_contain_text("may use plans")
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "switchyard_session"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    keys = team.client.call("GET", "/rag/v1/keys")["items"]
    (anna,) = [key for key in keys if key["name"] == "anna"]
    assert (anna["admin"], anna["collections"]) == (False, ["plans"])
    # An administrator revokes her: her session has ended.
    team.client.call("DELETE", f"/rag/v1/keys/{anna['id']}")
    page.goto(f"{team.url}/#/documents")
    expect(page.get_by_role("alert")).to_contain_text("sign in again")


def test_an_administrators_group(team: Site, page: Page) -> None:
    sign_in(team, page, "root@it")
    expect(page.locator("#nav")).to_contain_text("Keys")


def test_who_is_in_no_group_of_ours_may_not_sign_in(team: Site, page: Page) -> None:
    sign_in(team, page, "guest@elsewhere")
    expect(page.locator("body")).to_contain_text("none of your groups")
    page.goto(team.url)
    expect(page.get_by_label("API key")).to_be_visible()


def test_a_sign_in_that_began_elsewhere_is_refused(team: Site) -> None:
    with httpx2.Client(base_url=team.url) as browser:
        begun = browser.get("/rag/v1/session/oidc")
        assert begun.status_code == 302
        assert "code_challenge_method=S256" in begun.headers["location"]
        forged = browser.get("/rag/v1/session/oidc/callback", params={"state": "another", "code": "c"})
        assert forged.status_code == 401
        state = httpx2.URL(begun.headers["location"]).params["state"]
        refused = browser.get("/rag/v1/session/oidc/callback", params={"state": state, "code": "invented"})
        assert (refused.status_code, refused.json()["type"]) == (401, "urn:switchyard:problem:sign-in-refused")
        assert "switchyard_session" not in browser.cookies
