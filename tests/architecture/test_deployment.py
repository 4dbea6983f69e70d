"""The manifests: valid by Kubernetes' own schemas, and nothing in them names what is not there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cityforge.settings import Settings
from serving.metrics import Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES, COMPOSE = DEPLOY / "kubernetes", DEPLOY / "compose"
VERSIONS = ("1.29", "1.37")
"""The oldest and the newest that the manifests are checked for."""


def manifests() -> Iterator[dict[str, Any]]:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    for name in kustomization["resources"]:
        yield from yaml.safe_load_all((KUBERNETES / name).read_text())


def compose() -> dict[str, Any]:
    found = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_follow_the_schemas_of_kubernetes(version: str):
    for manifest in manifests():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_wrong_field_is_found():
    serving = next(each for each in manifests() if each["kind"] == "Deployment")
    serving["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenesProbe"):
        kubernetes_validate.validate(serving, VERSIONS[-1], strict=True)


def test_every_container_has_bounds_and_no_more_rights_than_it_needs():
    pods = [each["spec"]["template"]["spec"] for each in manifests() if each["kind"] == "Deployment"]
    containers = [container for pod in pods for container in pod["containers"]]
    assert len(containers) == 2
    for container in containers:
        assert container["resources"].keys() == {"requests", "limits"}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert {mount["name"] for mount in container["volumeMounts"]} <= {each["name"] for each in pods[0]["volumes"]}
    serving = containers[0]
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= serving.keys()


def test_every_variable_is_a_setting():
    config = next(each for each in manifests() if each["kind"] == "ConfigMap")["data"]
    lines = (COMPOSE / "cityforge.env.example").read_text().splitlines()
    env = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    known = {f"CITYFORGE_{name.upper()}" for name in Settings.model_fields}
    used = {name for each in manifests() for name in re.findall(r"CITYFORGE_[A-Z_]+", json.dumps(each))}
    assert (config.keys() | env | used) - known == set()


def test_every_metric_that_is_asked_for_is_exported():
    text = "\n".join(
        path.read_text() for path in [*COMPOSE.rglob("*.yml"), *COMPOSE.rglob("*.json"), *KUBERNETES.glob("*.yaml")]
    )
    metrics = Metrics()
    metrics.of_model("m").answered.inc()
    metrics.queued.labels("m").inc(0)
    metrics.readings.labels("accepted").inc()
    exported = set(re.findall(r"^(cityforge_[a-z_]+)", metrics.render().decode(), re.MULTILINE))
    asked = set(re.findall(r"(cityforge_[a-z_]+_(?:total|bucket))", text))
    assert len(asked) >= 4
    assert asked <= exported


def test_compose_names_only_what_is_there():
    found = compose()
    assert found["services"].keys() == {
        "serving",
        "runtime",
        "postgres",
        "mlflow",
        "mosquitto",
        "prometheus",
        "grafana",
    }
    for name, service in found["services"].items():
        assert re.fullmatch(r"[\w./-]+:[\w.-]+", service["image"]), name
        assert set(service.get("depends_on", {})) <= found["services"].keys()
        assert set(service.get("secrets", [])) <= found["secrets"].keys()
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert (COMPOSE / source).exists() if source.startswith(".") else source in found["volumes"], volume
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), port
    assert (DEPLOY / "Dockerfile").is_file()
