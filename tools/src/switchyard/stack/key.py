"""The first admin key."""

from __future__ import annotations

from switchyard.stack.containers import find
from switchyard.stack.errors import DockerFailed, Stopped
from switchyard.stack.stacks import Project

FIRST_KEY = "/data/auth/first-key"


def first_key(project: Project) -> str:
    """Return the key that the first start made; raises `Stopped` if there is none, or if rag-service is not running."""
    service = find(project.containers(), "rag-service")
    if service is None or not service.running:
        state = f"is {service.state}" if service else "does not exist"
        raise Stopped(
            f"the key is in rag-service's volume, and its container {state}", "start the stack first: make up"
        )
    try:
        key = project.docker.out("exec", service.id, "cat", FIRST_KEY).strip()
    except DockerFailed as error:
        if "No such file" not in error.stderr:
            raise
        raise Stopped(
            "there is no first key: either ADMIN_API_KEY_FILE in .env names a key of your own, or the first key was revoked",
            "use that key; if it is lost, name a new one by ADMIN_API_KEY_FILE (secrets/README.md) and start again",
        ) from error
    if not key:
        raise Stopped(f"{FIRST_KEY} is empty", "give a key of your own: ADMIN_API_KEY_FILE (secrets/README.md)")
    return key
