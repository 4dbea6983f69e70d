from __future__ import annotations

from pathlib import Path

import pytest

from gpu import available_threads, devices
from gpu.devices import thread_budget


@pytest.mark.parametrize(
    ("quota", "affinity", "threads"),
    [
        ("max 100000", 8, 8),
        ("200000 100000", 8, 2),
        ("150000 100000", 8, 2),
        ("50000 100000", 8, 1),
        ("900000 100000", 4, 4),
    ],
)
def test_the_quota_of_cgroup_2_counts(tmp_path: Path, quota: str, affinity: int, threads: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert thread_budget(tmp_path, affinity) == threads


@pytest.mark.parametrize(("quota", "threads"), [("-1", 8), ("300000", 3)])
def test_the_quota_of_cgroup_1_counts(tmp_path: Path, quota: str, threads: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert thread_budget(tmp_path, 8) == threads


def test_without_cgroups_the_affinity_counts(tmp_path: Path) -> None:
    assert thread_budget(tmp_path, 6) == 6


def test_the_processor_is_listed_with_its_threads() -> None:
    processors = [device for device in devices() if device.kind == "cpu"]
    assert [device.provider for device in processors] == ["CPUExecutionProvider"]
    assert processors[0].threads == available_threads() >= 1
