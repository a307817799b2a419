"""Which addresses an input may lead to: nothing on the internet leads into the local network."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies

from streamanon.errors import MediaError

_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is on the internet: not here, and not in a local network."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ip_address(int(address) & 0xFFFFFFFF)  # type: ignore[assignment]
        address = inner or address
    return address.is_global and not address.is_multicast


def names_local(url: str) -> bool:
    """Return whether the host of an address is a number that is not on the internet."""
    try:
        return not _is_public(urlsplit(url).hostname or "")
    except ValueError:
        return False


def _is_public(number: str) -> bool:
    return is_public(ip_address(number.partition("%")[0]))


class Reach:
    """Which addresses the connections of one input may lead to, reconnects included.

    The first connection, to the host that was named, may lead anywhere. When that host is on the
    internet, no later one may lead to a private address.
    """

    def __init__(self) -> None:
        """Start before the first connection."""
        urls = [urlsplit(url) for kind, url in getproxies().items() if kind in ("http", "https")]
        self._proxies = {(url.hostname, url.port) for url in urls}
        self._public: bool | None = None

    def connect(
        self, address: tuple[str, int], timeout: float, source: tuple[str, int] | None = None
    ) -> socket.socket:
        """Connect to the first address of a host that is allowed and answers.

        The timeout in seconds also holds for every later call of the socket.

        Raises:
            MediaError: no address of the host is allowed.
            OSError: none answers.
        """
        host, port = address
        error: Exception = MediaError(
            f"it leads to {host}, an address of the local network: wanted one on the internet "
            "like the input's, check what it serves"
        )
        for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            public = address in self._proxies or _is_public(str(place[0]))
            if self._public and not public:
                continue
            try:
                connected = socket.create_connection((str(place[0]), port), timeout, source)
            except OSError as found:
                error = found
                continue
            self._public = public if self._public is None else self._public
            return connected
        raise error
