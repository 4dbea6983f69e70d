"""Ports: free ones, and the holder of one in use."""

from __future__ import annotations

import os
import socket

import pytest

from cityforge.ports import claim_port
from contracts import ServiceError


def test_port_zero_is_one_that_can_be_listened_on() -> None:
    port = claim_port("127.0.0.1", 0)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()


def test_a_port_in_use_names_its_holder_and_the_remedy() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(
            ServiceError, match=rf"Port {port} on 127\.0\.0\.1 is in use by .*process {os.getpid()}.*--port"
        ):
            claim_port("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ServiceError, match=r"Port 3000 on 192\.0\.2\.1 cannot be used"):
        claim_port("192.0.2.1", 3000)
