from __future__ import annotations

from registry.links import Links


def test_a_server_is_linked_at_its_own_address() -> None:
    links = Links.to("http://mlflow:5000/", None)
    assert links.run("3", "abc") == "http://mlflow:5000/#/experiments/3/runs/abc"
    assert links.version("flow.ridge", 7) == "http://mlflow:5000/#/models/flow.ridge/versions/7"


def test_the_interface_may_stand_elsewhere() -> None:
    assert Links.to("sqlite:///x.db", "https://city/mlflow").model("a") == "https://city/mlflow/#/models/a"


def test_without_an_interface_links_are_relative() -> None:
    assert Links.to("sqlite:///x.db", None).model("a") == "#/models/a"
