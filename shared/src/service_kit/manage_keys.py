"""`python -m service_kit.manage_keys`: create, list and revoke API keys, inside a service's container."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from service_kit.errors import NotFound
from service_kit.keys import Key, KeyStore, Scope


def main(argv: Sequence[str], data_dir: Path) -> int:
    """Run the command in `argv` on the keys in `data_dir`; returns an exit status."""
    parser = ArgumentParser(prog="keys", description="API keys of this installation.")
    verbs = parser.add_subparsers(required=True, dest="verb", metavar="VERB")
    create = verbs.add_parser("create", help="make a key and print it; it cannot be shown again")
    create.add_argument("name")
    create.add_argument("--admin", action="store_true", help="may do everything")
    create.add_argument("--collection", action="append", help="bind it to this collection; may be repeated")
    verbs.add_parser("list", help="list keys, without their secrets")
    revoke = verbs.add_parser("revoke", help="services refuse it from their next request on")
    revoke.add_argument("id")
    options = parser.parse_args(argv)
    store = KeyStore(data_dir / "auth")
    try:
        if options.verb == "create":
            output = store.create(options.name, Scope.ADMIN if options.admin else Scope.USER, options.collection)
        elif options.verb == "revoke":
            store.revoke(options.id)
            output = f"{options.id} is revoked"
        else:
            output = _table(store.all())
    except NotFound as error:
        print(error.detail, file=sys.stderr)  # noqa: T201
        return 1
    print(output)  # noqa: T201
    return 0


def _table(keys: Sequence[Key]) -> str:
    rows = [("id", "name", "scope", "collections", "created")]
    for key in keys:
        bound = "all" if key.collections is None else ", ".join(key.collections)
        rows.append((key.id, key.name, key.scope.value, bound, key.created))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(os.environ["DATA_DIR"])))
