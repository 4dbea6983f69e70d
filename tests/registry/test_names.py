from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ConfigurationError
from registry.names import check_actor, check_artefact_path, check_fingerprint, check_name


@pytest.mark.parametrize("name", ["ridge", "water.main-ridge_2", "A", "x" * 128])
def test_plain_names_pass(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "a/b", "../a", ".", "..", ".hidden", "a b", "a:b", "a'b", "name\n", "x" * 129, "模型", "a%2fb", "a\\b"]
)
def test_other_names_are_refused_with_what_may_be_used(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"no valid model name\..*letters, digits"):
        check_name(name)


@pytest.mark.parametrize("path", ["", "figures", "figures/band.png", "模型卡.md", "a b/c=d+e.json"])
def test_plain_paths_pass(path: str) -> None:
    assert check_artefact_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "..",
        "a/../b",
        "a//b",
        "./a",
        "a/.",
        "a/",
        "C:\\x",
        "a\\b",
        "a\nb",
        "~/x",
        "file:///x",
        "x" * 300,
        "%2e%2e/a",
    ],
)
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be the path of an artefact"):
        check_artefact_path(path)


@given(st.text(max_size=40))
def test_no_path_that_passes_leads_out(path: str) -> None:
    try:
        checked = check_artefact_path(path)
    except ConfigurationError:
        return
    assert ".." not in checked.split("/")
    assert not checked.startswith(("/", "~"))
    assert "\\" not in checked
    assert "\0" not in checked


@pytest.mark.parametrize("fingerprint", ["", "abc", "A" * 64, "a" * 63 + "'", "a" * 64 + "\n"])
def test_only_a_sha256_is_a_fingerprint(fingerprint: str) -> None:
    with pytest.raises(ConfigurationError, match="a fingerprint is a sha256"):
        check_fingerprint(fingerprint)


@pytest.mark.parametrize("actor", ["", "  ", "a\nb", "x" * 129])
def test_somebody_must_act(actor: str) -> None:
    with pytest.raises(ConfigurationError, match="names nobody who acts"):
        check_actor(actor)


def test_people_may_have_any_name() -> None:
    assert check_actor("张伟 (night shift)") == "张伟 (night shift)"
