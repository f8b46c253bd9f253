"""The lint of `make check`: prints the patterns that look slow, and the calls whose pattern nobody can know."""

from __future__ import annotations

import sys

from patterns.ambiguity import findings
from patterns.discovery import patterns


def main() -> int:
    found, unknown = patterns()
    lines = [f"{each.place}: {each.pattern.pattern!r}: {why}" for each in found for why in findings(each)]
    lines += [f"{each.place}: a pattern is built at run time; compare words instead" for each in unknown]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
