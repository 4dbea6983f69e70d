"""A trial from its order in the audit to what the registry reads of it."""

from pathlib import Path

from contracts import TRIAL_START, TrialLimits, TrialPlan
from registry.trials import end_trial, last_trial

from .city import CONTEXT, populated
from .running import Server, free_port, run_server, settings_of


def trial_of(server: Server, condition) -> dict[str, object] | None:
    def of_mean(response):
        return next(each for each in response.json()["models"] if each["name"] == "mean")["trial"]

    return of_mean(server.wait_until("/status", lambda response: condition(of_mean(response))))


def test_a_trial_follows_orders_reports_and_ends_by_itself(tmp_path: Path):
    city = populated(tmp_path)
    body = {"inputs": [{"name": "context", "shape": [1, CONTEXT], "datatype": "FP32", "data": [10] * CONTEXT}]}

    def order(version: int, *, shift: float, golden: str = "right") -> None:
        manifest = city.release_mean(version, shift=shift, golden=golden)
        limits = TrialLimits(minimum_comparisons=3)
        plan = TrialPlan(name="mean", version=version, sha256=manifest.sha256, limits=limits)
        city.store.audit.append("test", TRIAL_START, "mean", plan.model_dump(mode="json"))

    with run_server(settings_of(city.store_url, city.releases_url, free_port()), tmp_path / "log") as server:

        def compared(found) -> bool:
            with server.client() as client:
                answer = client.post("/v2/models/mean/infer", json=body).raise_for_status()
            assert answer.json()["model_version"] == "1"
            return found is not None and found["comparisons"] >= 4

        order(2, shift=2)
        found = trial_of(server, compared)
        assert found["version"] == 2
        assert found["ended"] is None
        end_trial(city.store, "mean", "li.na", "seen enough")
        trial_of(server, lambda found: found is None)

        order(3, shift=100)

        def asked(found) -> bool:
            record = last_trial(city.store, "mean")
            return not compared(found) and record is not None and record.ended_at is not None

        trial_of(server, asked)
        record = last_trial(city.store, "mean")
        assert record is not None
        assert (record.plan.version, record.ended_by) == (3, "serving")
        assert "its answers differ by 1000.0% on average" in record.reason
        assert record.found.comparisons >= 3
        assert record.found.champion == 1

        order(4, shift=1, golden="wrong")
        trial_of(server, lambda _: last_trial(city.store, "mean").ended_at is not None)
        record = last_trial(city.store, "mean")
        assert record is not None
        assert "cannot be opened" in record.reason
    city.close()
