"""Addresses of engines: normalised, and refused where no engine can be."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit, urlunsplit

# Metadata services of cloud providers that are not in a link-local range.
_METADATA_HOSTS = frozenset({"metadata.google.internal", "metadata.goog", "100.100.100.200", "fd00:ec2::254"})


class InvalidAddress(ValueError):
    """The address can't be that of an engine; the message says why."""


def normalise(address: str) -> str:
    """Return the address without trailing slashes and without the `/v1` of OpenAI's API; a path before it stays.

    Raises `InvalidAddress` for anything that is not plain http or https, for user names and passwords, and for link-local
    and metadata addresses.
    """
    parts = urlsplit(address.strip())
    try:
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidAddress(f"{address!r} is not an address: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise InvalidAddress("must be an address that begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise InvalidAddress("must not contain a user name or password; name a key file instead")
    if parts.query or parts.fragment:
        raise InvalidAddress("must not contain a query or fragment")
    if host in _METADATA_HOSTS or _is_link_local(host):
        raise InvalidAddress(f"{host} is a link-local or metadata address, which no engine has")
    path = parts.path.rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path.removesuffix("/v1").rstrip("/"), "", ""))


def is_private(address: str) -> bool:
    """Whether the host is on this machine or network: such engines are never reached through a proxy.

    A name without a dot is one of the local network (a Compose service, a host of the search domain).
    """
    host = urlsplit(address).hostname or ""
    if (ip := _ip(host)) is not None:
        return ip.is_loopback or ip.is_private
    return "." not in host or host.endswith((".local", ".internal", ".localhost"))


async def refuse_link_local(address: str) -> None:
    """Raise `InvalidAddress` if the host's name leads to a link-local or metadata address; a name unknown here passes."""
    parts = urlsplit(address)
    loop = asyncio.get_running_loop()
    try:
        resolved = await loop.getaddrinfo(parts.hostname or "", parts.port, type=socket.SOCK_STREAM)
    except OSError:
        return
    for *_, (ip, *_) in resolved:
        if str(ip) in _METADATA_HOSTS or _is_link_local(str(ip)):
            raise InvalidAddress(f"{parts.hostname} leads to {ip}, a link-local or metadata address")


def _is_link_local(host: str) -> bool:
    ip = _ip(host)
    return ip is not None and (ip.is_link_local or ip.is_multicast)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return _numeric(host)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def _numeric(host: str) -> ipaddress.IPv4Address | None:
    """Read the short, octal and hexadecimal forms that the resolver takes, such as 2852039166 and 0xa9.254.1.1."""
    if not host[:1].isdigit():
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
