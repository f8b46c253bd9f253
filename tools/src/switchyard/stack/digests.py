"""The digests of images from registries, recorded as they are fetched: a tag that comes to mean another image is noticed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

from switchyard.stack.errors import DockerFailed
from switchyard.stack.stacks import Project

FILE = "image-digests.json"
_FORMAT = '{{join .RepoDigests " "}}'


def record(project: Project) -> Iterator[str]:
    """Write the digest of each image of the project that is not built here; yield a line for each that changed under its tag."""
    path = project.docker.root / FILE
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    found = dict(_fetched(project))
    for image, digest in found.items():
        if known.get(image, digest) != digest:
            yield f"{image} is another image than before: {known[image]} -> {digest}"
    path.write_text(f"{json.dumps({**known, **found}, indent=1, sort_keys=True)}\n")
    yield f"{len(found)} digests are recorded in {FILE}"


def _fetched(project: Project) -> Iterator[tuple[str, str]]:
    services = project.config()["services"].values()
    for image in sorted({service["image"] for service in services if "image" in service and "build" not in service}):
        with suppress(DockerFailed):  # an image that no service of this start needs
            for name in project.docker.out("image", "inspect", "--format", _FORMAT, image).split()[:1]:
                yield image, name.partition("@")[2]
