"""Where requests to subscribers may go: an address is judged, and then it is that very address which is connected to.

Names are resolved once.  Whoever resolved a name for the judgement and let the connection resolve it anew would be led to a
private address by the second answer.
"""

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_ADDRESSES = 4
"""So many addresses of one name are tried, until one is connected to."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class TargetRefused(Exception):
    """There is no address that a request may go to; the sentence says why."""


def addresses_of(host: str, port: int, *, allow_private: bool) -> tuple[str, ...]:
    """The addresses of a host, all of them judged.  Raises TargetRefused: one that is not public speaks against all."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TargetRefused(f"{host} has no address ({error}); see its spelling, and your DNS") from None
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_private:
        for address in addresses:
            if not is_public(ipaddress.ip_address(address)):
                raise TargetRefused(
                    f"{host} is {address}, which is no public address; where that is meant, write allow_private = true"
                )
    return addresses[:MOST_ADDRESSES]


def is_public(address: Address) -> bool:
    """Whether the address belongs to a host on the Internet, and not to this machine, its network, or many hosts at once."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _carried_by(address)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local or address.teredo is not None:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _carried_by(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that this one stands for, where it does."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
