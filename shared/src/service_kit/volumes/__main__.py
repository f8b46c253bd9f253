"""`python -m service_kit.volumes snapshot|restore JSON` with `{"root": folder, "volumes": [names], "about": {…}}`."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from service_kit.volumes import snapshot, staging

# Python's own exit, so that what was begun is removed.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
command, settings = sys.argv[1], json.loads(sys.argv[2])
root, volumes = Path(settings["root"]), settings["volumes"]
if command == "snapshot":
    snapshot.run(root, volumes, settings["about"], sys.stdin.buffer, sys.stdout.buffer)
else:
    staging.run(root, volumes, sys.stdin.buffer, sys.stdout.buffer)
