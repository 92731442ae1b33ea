"""Where requests to subscribers may go."""

import ipaddress
import socket
from typing import Any

import pytest

from kassa.targets import MOST_ADDRESSES, TargetRefused, addresses_of, is_public

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"]
NOT_PUBLIC = {
    "this machine": ["127.0.0.1", "127.8.9.10", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::127.0.0.1"],
    "its network": ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "fec0::1", "::ffff:10.0.0.1"],
    "link-local, and there the metadata of clouds": ["169.254.169.254", "fe80::1", "64:ff9b::a9fe:a9fe"],
    "many hosts at once": ["224.0.0.1", "239.1.1.1", "255.255.255.255", "ff02::1", "ff0e::1"],
    "wrapped up": ["2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "set aside": ["240.0.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.1", "2001:db8::1", "4000::1"],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", [address for group in NOT_PUBLIC.values() for address in group])
def test_an_address_of_this_machine_its_network_or_nobody_is_not(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


def answer_with(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """The network's answer to every name."""

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_one_private_address_speaks_against_the_whole_name(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, "93.184.216.34", "10.0.0.1")
    with pytest.raises(TargetRefused, match=r"shop\.example is 10\.0\.0\.1, which is no public address"):
        addresses_of("shop.example", 443, allow_private=False)


def test_where_that_is_meant_a_private_address_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, "10.0.0.1")
    assert addresses_of("shop.example", 443, allow_private=True) == ("10.0.0.1",)


def test_not_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, *(f"93.184.216.{number}" for number in range(1, 50)), "93.184.216.1")
    assert len(addresses_of("shop.example", 443, allow_private=False)) == MOST_ADDRESSES


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1"])
def test_other_spellings_of_loopback_are_seen_through(host: str) -> None:
    with pytest.raises(TargetRefused):
        addresses_of(host, 443, allow_private=False)


def test_a_name_that_has_no_address_is_refused_with_the_next_step() -> None:
    with pytest.raises(TargetRefused, match=r"nowhere\.invalid has no address .*; see its spelling, and your DNS"):
        addresses_of("nowhere.invalid", 443, allow_private=False)
