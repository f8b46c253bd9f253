"""`python -m service_kit.manage_keys`: create, list and revoke API keys, inside a service's container; prepare a new volume."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, fields
from pathlib import Path
from socket import gethostname

from service_kit.audit.log import FOLDER, AuditLog, recorded
from service_kit.errors import InvalidInput, NotFound
from service_kit.first_key import prepare_keys
from service_kit.keys import Grant, Key, KeyStore, KeysUnavailable, Scope
from service_kit.limits import KeyLimits
from service_kit.settings import ServiceSettings, load

_GRANTS = "direct (ask the model itself), providers (see engines and figures)"


def main(argv: Sequence[str], data_dir: Path) -> int:
    """Run the command in `argv` on the keys in `data_dir`; returns an exit status."""
    parser = ArgumentParser(prog="keys", description="API keys of this installation.")
    verbs = parser.add_subparsers(required=True, dest="verb", metavar="VERB")
    create = verbs.add_parser("create", help="make a key and print it; it cannot be shown again")
    create.add_argument("name")
    create.add_argument("--admin", action="store_true", help="may do everything")
    create.add_argument("--collection", action="append", help="bind it to this collection; may be repeated")
    create.add_argument(
        "--grant",
        action="append",
        default=[],
        type=Grant,
        choices=list(Grant),
        help=f"may also: {_GRANTS}; may be repeated",
    )
    for limit in fields(KeyLimits):
        create.add_argument(f"--{limit.name.replace('_', '-')}", type=_positive, metavar="N", help="a limit of its own")
    verbs.add_parser("list", help="list keys, without their secrets")
    revoke = verbs.add_parser("revoke", help="services refuse it from their next request on")
    revoke.add_argument("id")
    verbs.add_parser("prepare", help="make what the services need, and the first key if there is none")
    options = parser.parse_args(argv)
    store = KeyStore(data_dir / "auth")
    try:
        if options.verb == "create":
            limits = KeyLimits(**{limit.name: getattr(options, limit.name) for limit in fields(KeyLimits)})
            scope = Scope.ADMIN if options.admin else Scope.USER
            with _recorded(data_dir, "key.create", options.name, scope=scope, collections=options.collection):
                output = store.create(options.name, scope, options.collection, options.grant, limits)
        elif options.verb == "revoke":
            with _recorded(data_dir, "key.revoke", options.id):
                store.revoke(options.id)
            output = f"{options.id} is revoked"
        elif options.verb == "prepare":
            settings = load(ServiceSettings)
            audit = AuditLog(data_dir / FOLDER, "keys", settings.audit_retention)
            audit.start()
            try:
                prepare_keys(store, settings, audit)
            finally:
                audit.close()
            output = "the keys are ready"
        else:
            output = _table(store.all())
    except (InvalidInput, NotFound, KeysUnavailable) as error:
        print(error.detail, file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        print(f"{error.filename or data_dir}: {error.strerror}; is the disk full or read-only?", file=sys.stderr)  # noqa: T201
        return 1
    print(output)  # noqa: T201
    return 0


def _recorded(data_dir: Path, act: str, target: str, **about: object) -> AbstractContextManager[None]:
    who = {"key": "command line", "name": f"uid {os.getuid()}", "address": gethostname()}
    return recorded(
        data_dir / FOLDER,
        "keys",
        load(ServiceSettings).audit_retention,
        {"act": act, "who": who, "target": target, **about},
    )


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _table(keys: Sequence[Key]) -> str:
    rows = [("id", "name", "scope", "collections", "grants", "limits", "created")]
    for key in keys:
        bound = "all" if key.collections is None else ", ".join(key.collections)
        limits = ", ".join(f"{name} {value}" for name, value in asdict(key.limits).items() if value is not None)
        rows.append(
            (key.id, key.name, key.scope.value, bound, ", ".join(key.grants) or "-", limits or "-", key.created)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(os.environ["DATA_DIR"])))
