"""Addresses of engines: any usual form, and never a link-local or metadata address."""

from __future__ import annotations

import pytest

from llm_providers.engines.addresses import InvalidAddress, is_private, normalise, refuse_link_local


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://host:8000", "http://host:8000"),
        ("http://host:8000/", "http://host:8000"),
        ("http://host:8000/v1", "http://host:8000"),
        ("http://host:8000/v1//", "http://host:8000"),
        ("https://host/team/llm/v1/", "https://host/team/llm"),
        ("http://[::1]:8000/v1", "http://[::1]:8000"),
        ("  http://host/v1  ", "http://host"),
        ("http://host/v10", "http://host/v10"),
    ],
)
def test_usual_forms_are_the_same_address(given: str, expected: str) -> None:
    assert normalise(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "host:8000",
        "ftp://host",
        "http://",
        "http://host:99999",
        "http://user:password@host",
        "http://user@host",
        "http://host/v1?key=x",
        "http://host/#x",
        "http://169.254.169.254/latest",
        "http://2852039166/",
        "http://0xa9.254.169.254/",
        "http://[fe80::1]:8000",
        "http://[fe80::1%25eth0]:8000",
        "http://[::ffff:169.254.169.254]/",
        "http://metadata.google.internal/",
        "http://100.100.100.200/",
        "http://[fd00:ec2::254]/",
    ],
)
def test_others_are_refused(given: str) -> None:
    with pytest.raises(InvalidAddress):
        normalise(given)


def test_a_password_in_an_address_is_not_repeated_in_the_error() -> None:
    with pytest.raises(InvalidAddress, match="key file") as caught:
        normalise("http://user:s3cret@host")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://[::1]", "http://10.1.2.3", "http://vllm:8000"])
def test_what_is_near_is_private(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize("address", ["http://8.8.8.8", "https://llm.example.com", "http://[2001:4860:4860::8888]"])
def test_what_is_far_is_not(address: str) -> None:
    assert not is_private(address)


async def test_a_name_is_followed_to_where_it_leads() -> None:
    await refuse_link_local("http://localhost:8000")
    await refuse_link_local("http://no-such-host.invalid:8000")
    with pytest.raises(InvalidAddress, match="leads to"):
        await refuse_link_local("http://169.254.1.1:8000")
