from hypothesis import given
from hypothesis import strategies as st

from models.vision.ultralytics_adapter.schedule import is_validation_due, mosaic_free_epochs, plan_epochs


def test_without_a_budget_every_epoch_is_run():
    assert plan_epochs(50, None, done=3, spent_s=1e6, epoch_s=10.0) == 50


def test_before_an_epoch_is_timed_the_plan_is_what_was_asked():
    assert plan_epochs(50, 60, done=0, spent_s=1.0, epoch_s=None) == 50


def test_epochs_follow_the_time_that_is_left():
    assert plan_epochs(50, 100, done=1, spent_s=20.0, epoch_s=10.0) == 9
    assert plan_epochs(5, 1000, done=1, spent_s=20.0, epoch_s=10.0) == 5


@given(
    asked=st.integers(1, 500),
    done=st.integers(0, 499),
    spent_s=st.floats(0, 1e4),
    epoch_s=st.floats(0.01, 1e3),
    budget_s=st.floats(1, 1e4),
)
def test_the_epoch_that_begins_is_always_planned(
    asked: int, done: int, spent_s: float, epoch_s: float, budget_s: float
):
    planned = plan_epochs(asked, budget_s, done=done, spent_s=spent_s, epoch_s=epoch_s)
    assert done + 1 <= planned <= max(asked, done + 1)


def test_the_end_of_a_fit_goes_without_mosaics():
    assert [mosaic_free_epochs(epochs) for epochs in (1, 2, 10, 50)] == [0, 1, 2, 10]


def test_validation_keeps_within_its_share_of_the_time():
    assert is_validation_due(0.0, 0.0)
    assert not is_validation_due(6.0, 20.0)
    assert is_validation_due(6.0, 40.0)
