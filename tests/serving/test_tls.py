"""TLS and mutual TLS with real certificates, over HTTP and gRPC."""

import ssl
import time
from pathlib import Path

import grpc
import httpx
import pytest
from pydantic import SecretStr

from contracts import ClientTls, ConfigurationError, OverloadedError
from serving import PlatformClient, Role, TlsSettings, check_tls
from serving.client import connection
from serving.protocol.messages import HEALTH, calls_of

from .certificates import Authority
from .city import City
from .running import KEYS, READY_TIMEOUT_S, Server, free_port, launch, settings_of

KEY = SecretStr(KEYS[Role.VIEWER])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


def wait_alive(server: Server, tls: ClientTls) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    with PlatformClient(f"https://127.0.0.1:{server.port}", KEY, tls=tls) as client:
        while not client.is_ready():
            assert server.process.poll() is None, server.log.read_text()
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.05)


def check_over_grpc(server: Server, credentials: grpc.ChannelCredentials) -> int:
    kind, reply = calls_of(HEALTH)["Check"]
    with grpc.secure_channel(f"localhost:{server.grpc_port}", credentials) as channel:
        check = channel.unary_unary(f"/{HEALTH}/Check", lambda message: message.SerializeToString(), reply.FromString)
        return int(check(kind(), timeout=20).status)


def test_only_clients_of_the_authority_are_let_in(
    city: City, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0.0)
    pair, own = authority.sign("server"), authority.sign("desk")
    stranger = Authority(tmp_path, "other").sign("stranger")
    tls = TlsSettings(certificate=pair.certificate, key=pair.key, client_ca=authority.certificate)
    settings = settings_of(city.store_url, city.releases_url, free_port(), tls=tls, grpc_port=free_port())
    server = launch(settings, tmp_path / "log")
    known = ClientTls(ca=authority.certificate, certificate=own.certificate, key=own.key)
    try:
        wait_alive(server, known)
        url = f"https://127.0.0.1:{server.port}"
        with PlatformClient(url, KEY, tls=known) as client:
            assert client.status()["ready"]
        for wrong in (
            ClientTls(ca=authority.certificate),
            ClientTls(ca=authority.certificate, certificate=stranger.certificate, key=stranger.key),
        ):
            with PlatformClient(url, KEY, tls=wrong) as client, pytest.raises(OverloadedError, match="does not answer"):
                client.status()
        with PlatformClient(url, KEY) as client, pytest.raises(OverloadedError, match="CERTIFICATE_VERIFY_FAILED"):
            client.status()
        with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
            httpx.get(f"http://127.0.0.1:{server.port}/livez")
        root = authority.certificate.read_bytes()
        shown = grpc.ssl_channel_credentials(root, own.key.read_bytes(), own.certificate.read_bytes())
        assert check_over_grpc(server, shown) == 1
        with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
            check_over_grpc(server, grpc.ssl_channel_credentials(root))
    finally:
        server.process.terminate()
        assert server.process.wait(timeout=40) == 0, server.log.read_text()


def test_certificates_that_cannot_be_used_are_told_before_anything_starts(
    city: City, authority: Authority, tmp_path: Path
):
    tls = TlsSettings(certificate=authority.sign("one").certificate, key=authority.sign("two").key)
    server = launch(settings_of(city.store_url, city.releases_url, free_port(), tls=tls), tmp_path / "log")
    assert server.process.wait(timeout=30) == 1
    said = server.log.read_text()
    assert "are no certificate with its key (KEY_VALUES_MISMATCH)" in said
    assert "Traceback" not in said


def test_every_problem_of_certificates_is_told_at_once(authority: Authority, tmp_path: Path):
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    tls = TlsSettings(certificate=tmp_path / "gone.pem", key=text, client_ca=tmp_path)
    with pytest.raises(ConfigurationError, match="has 3 problems") as caught:
        check_tls(tls)
    said = str(caught.value)
    assert "gone.pem' cannot be read: No such file" in said
    assert "text.pem' holds no PEM" in said
    assert "cannot be read: Is a directory" in said


def test_an_encrypted_key_and_a_wrong_authority_are_told(authority: Authority):
    locked, pair = authority.sign("locked", passphrase=b"secret"), authority.sign("pair")
    with pytest.raises(ConfigurationError, match=r"the key '.*locked\.key' is encrypted"):
        check_tls(TlsSettings(certificate=locked.certificate, key=locked.key))
    with pytest.raises(ConfigurationError, match="holds no certificate of an authority"):
        check_tls(TlsSettings(certificate=pair.certificate, key=pair.key, client_ca=pair.key))
    check_tls(TlsSettings(certificate=pair.certificate, key=pair.key, client_ca=authority.certificate))


def test_a_client_says_which_of_its_files_cannot_be_used(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"cannot be used .*gone\.pem"):
        ClientTls(ca=tmp_path / "gone.pem").context()
    assert ClientTls().context().verify_mode is ssl.CERT_REQUIRED
