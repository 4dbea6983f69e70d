"""Settings: sources, precedence, problems all at once, secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from cityforge.settings import Settings, adapt, find_file, load_settings
from contracts import ConfigurationError


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(__import__("os").environ):
        if name.startswith("CITYFORGE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(folder: Path, text: str) -> Path:
    file = folder / "cityforge.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_lie_in_the_working_directory(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.file is None
    assert settings.home_folder == tmp_path / ".cityforge"
    assert settings.store_address == f"sqlite:///{tmp_path}/.cityforge/store.db"
    assert settings.platform_url == "http://127.0.0.1:3000"


def test_the_file_is_found_upward_and_relative_paths_start_at_it(tmp_path: Path) -> None:
    write(tmp_path, 'home = "state"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_file(below) == tmp_path / "cityforge.toml"
    assert load_settings(start=below).home_folder == tmp_path / "state"


def test_an_option_wins_over_a_variable_and_a_variable_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, "port = 4000\nworkers = 2\n")
    monkeypatch.setenv("CITYFORGE_PORT", "5000")
    assert load_settings(file).port == 5000
    assert load_settings(file, port=6000).port == 6000
    adapted = adapt(load_settings(file), port=7000, host=None)
    assert (adapted.port, adapted.workers, adapted.host, adapted.file) == (7000, 2, "127.0.0.1", file)


def test_every_problem_is_reported_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, 'prot = 4000\nworkers = 0\nclock = "sundial"\n[[keys]]\nname = "a"\nrole = "king"\n')
    monkeypatch.setenv("CITYFORGE_PORT", "99999")
    monkeypatch.setenv("CITYFORGE_HOSTT", "x")
    with pytest.raises(ConfigurationError, match="has 7 problems") as caught:
        load_settings(file)
    text = str(caught.value)
    assert "cityforge.toml: prot: is no setting. Did you mean 'port'?" in text
    assert "CITYFORGE_HOSTT: is no setting. Did you mean 'CITYFORGE_HOST'?" in text
    assert "CITYFORGE_PORT: Input should be less than or equal to 65535, given '99999'." in text
    for where in ("workers", "clock", "keys.0.role", "keys.0.sha256"):
        assert f"cityforge.toml: {where}:" in text


def test_broken_toml_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cityforge\.toml: cannot be read"):
        load_settings(write(tmp_path, "port = = 1"))


def test_open_access_needs_a_loopback_address() -> None:
    with pytest.raises(ConfigurationError, match=r"must be a loopback address, was '0\.0\.0\.0'"):
        load_settings(host="0.0.0.0", open_access=True)  # noqa: S104 - refused
    assert load_settings(host="localhost", open_access=True).open_access
    assert load_settings(host="::1", open_access=True).open_access


def test_secrets_are_never_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYFORGE_API_KEY", "hush-hush")
    settings = load_settings(store_url="postgresql+psycopg://me:hush-hush@host/db")
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "hush-hush"
    assert "hush" not in repr(settings)
    assert "hush" not in settings.model_dump_json()
    file = write(tmp_path, 'api_key = 1234567890\nstore_url = ["hush"]\n')
    monkeypatch.delenv("CITYFORGE_API_KEY")
    with pytest.raises(ConfigurationError, match="api_key") as caught:
        load_settings(file)
    assert "1234567890" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_project_that_is_a_pack_names_itself(tmp_path: Path) -> None:
    file = write(tmp_path, "")
    assert load_settings(file).pack_names() == ()
    (tmp_path / "pack.toml").touch()
    assert load_settings(file).pack_names() == (str(tmp_path),)
    assert load_settings(file, packs=("water_main",)).pack_names() == ("water_main",)


def test_settings_can_be_built_in_code(tmp_path: Path) -> None:
    assert Settings(home=tmp_path / "x", port=0).home_folder == tmp_path / "x"
