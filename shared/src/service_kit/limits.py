"""Limits of what callers may do: by address where they have no valid key, by key where they have one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

from service_kit.counters import Counters
from service_kit.errors import TooManyRequests

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_LONGEST_WAIT = 900
_SITE_BITS = 64


def address_of(scope: Scope) -> str:
    """Return the caller's address; of IPv6 the network of 64 bits, of which one caller has all addresses (RFC 6177)."""
    host = str((scope.get("client") or ("",))[0])
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    return str(address.ipv4_mapped or IPv6Network((address, _SITE_BITS), strict=False))


class Strangers:
    """Callers without a valid key, by address.

    Requests without a key are counted by minute and hour. Each key that is not valid is a failure, after which the address must
    wait before the next: 1 s, 2 s, 4 s and so on to 15 minutes; an hour after the first, it begins anew. A valid key is never
    kept waiting, since others may share the address: keys are too long to be guessed.
    """

    def __init__(self, counters: Counters, per_minute: int, per_hour: int) -> None:
        self._counters = counters
        self._allowances = ((_MINUTE, per_minute, "minute"), (_HOUR, per_hour, "hour"))

    def admit(self, address: str) -> None:
        """Count a request without a valid key; raises `TooManyRequests`."""
        for seconds, most, unit in self._allowances:
            count = self._counters.add(f"{unit} {address}", seconds)
            if count.value > most:
                raise TooManyRequests(
                    f"without a valid API key an address may make {most:,} requests a {unit}",
                    retry_after=count.ends - self._counters.clock(),
                )

    def fail(self, address: str) -> None:
        """Count a key that is not valid; raises `TooManyRequests` while the address must wait."""
        waiting = f"waiting {address}"
        if (wait := self._counters.get(waiting)) is not None:
            raise TooManyRequests(
                "this address has sent keys that are not valid, and must wait before it sends another",
                retry_after=wait.ends - self._counters.clock(),
            )
        failures = self._counters.add(f"failures {address}", _HOUR).value
        self._counters.add(waiting, min(2 ** (failures - 1), _LONGEST_WAIT))


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What one key may do; None is no limit."""

    requests_per_minute: int | None = None
    generations: int | None = None
    tokens_per_day: int | None = None
    upload_mb_per_day: int | None = None

    def or_else(self, defaults: KeyLimits) -> KeyLimits:
        """Return these limits, with `defaults` where there is none."""
        given = {name: getattr(self, name) for name in self.__slots__}
        return KeyLimits(**{n: getattr(defaults, n) if value is None else value for n, value in given.items()})


NO_LIMITS = KeyLimits()


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of one key's limits."""

    key: str
    limits: KeyLimits
    counters: Counters
    running: Counter[str]
    """Generations under way, by key."""

    def request(self) -> None:
        """Count a request; raises `TooManyRequests`."""
        self._check("requests", self.limits.requests_per_minute, "requests a minute")
        self._add("requests", self.limits.requests_per_minute, _MINUTE, 1)

    def upload(self, size: int) -> None:
        """Count the bytes of an upload; raises `TooManyRequests` if none are left."""
        most = None if self.limits.upload_mb_per_day is None else self.limits.upload_mb_per_day * 1_000_000
        self._check("upload", most, "uploaded bytes a day", size)
        self._add("upload", most, _DAY, size)

    def spend(self, tokens: int) -> None:
        """Count tokens that a model has read or written for this key."""
        self._add("tokens", self.limits.tokens_per_day, _DAY, tokens)

    @contextmanager
    def generation(self) -> Generator[None, None, None]:
        """Hold the block to the generations at a time, and to the tokens that are left; raises `TooManyRequests`."""
        self._check("tokens", self.limits.tokens_per_day, "tokens a day")
        most = self.limits.generations
        if most is not None and self.running[self.key] >= most:
            raise TooManyRequests(f"this key may have {most:,} generations at a time", retry_after=1)
        self.running[self.key] += 1
        try:
            yield
        finally:
            self.running[self.key] -= 1
            if not self.running[self.key]:
                del self.running[self.key]

    def _add(self, what: str, most: int | None, seconds: int, amount: int) -> None:
        if most is not None:
            self.counters.add(f"{what} {self.key}", seconds, amount)

    def _check(self, what: str, most: int | None, words: str, amount: int = 1) -> None:
        count = None if most is None else self.counters.get(f"{what} {self.key}")
        spent = 0 if count is None else count.value
        if most is not None and spent + amount > most:
            left = _LONGEST_WAIT if count is None else count.ends - self.counters.clock()
            raise TooManyRequests(f"this key may have {most:,} {words}", retry_after=left)


class Budgets:
    """The budgets of all keys of a process; `defaults` hold where a key has no limit of its own."""

    def __init__(self, counters: Counters, defaults: KeyLimits) -> None:
        self._counters, self._defaults = counters, defaults
        self._running: Counter[str] = Counter()

    def of(self, key: str, limits: KeyLimits | None) -> Budget:
        """Return the budget of a key; None for `limits` is no limit at all."""
        in_force = NO_LIMITS if limits is None else limits.or_else(self._defaults)
        return Budget(key, in_force, self._counters, self._running)
