"""Addresses of live inputs."""

from streamanon.media.address import Address, input_address


def live_input(url: str) -> Address:
    """Read the address of a live input; fail when it is that of a file."""
    address = input_address(url)
    assert address is not None, url
    return address
