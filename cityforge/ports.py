"""Ports: which are free, and who holds one that is not."""

from __future__ import annotations

import socket

import psutil

from contracts import ServiceError


def claim_port(host: str, port: int) -> int:
    """Return a port that can be listened on; for port 0 one that the system chooses.

    Raises:
        ServiceError: if the port is in use, may not be used, or the host is none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
            return int(listener.getsockname()[1])
    except PermissionError as exc:
        message = f"Port {port} may not be used by this user. Choose one above 1023 with --port."
        raise ServiceError(message) from exc
    except OSError as exc:
        holder = _holder_of(port)
        reason = f"is in use by {holder}" if holder else f"cannot be used: {exc.strerror or exc}"
        message = f"Port {port} on {host} {reason}. Stop what holds it, or choose another with --port."
        raise ServiceError(message) from exc


def _holder_of(port: int) -> str:
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, OSError):  # not permitted on every system: the message then goes without a name
        return ""
    for connection in connections:
        listening = connection.status == psutil.CONN_LISTEN
        if listening and connection.laddr and connection.laddr.port == port and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.Error:
                return f"process {connection.pid}"
    return ""
