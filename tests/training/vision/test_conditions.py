import numpy as np
import pytest

from training.vision.conditions import Weather, make_blur, make_night, make_rain

PIXELS = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)


@pytest.mark.parametrize("make", [make_night, make_rain, make_blur])
def test_a_condition_keeps_the_shape_and_leaves_the_original_alone(make):
    before = PIXELS.copy()
    made = make(PIXELS, np.random.default_rng(1))
    assert (made.shape, made.dtype) == (PIXELS.shape, np.uint8)
    np.testing.assert_array_equal(PIXELS, before)
    assert not np.array_equal(made, PIXELS)


def test_night_is_darker_and_rain_has_less_contrast_and_blur_is_smoother():
    generator = np.random.default_rng(1)
    assert make_night(PIXELS, generator).mean() < 0.6 * PIXELS.mean()
    assert make_rain(PIXELS, generator).std() < PIXELS.std()
    assert make_blur(PIXELS, generator).std() < PIXELS.std()


def test_the_same_seed_gives_the_same_weather_and_zero_changes_nothing():
    first, again = (Weather(night=0.5, rain=0.5, blur=0.5, seed=3) for _ in range(2))
    for _ in range(5):
        np.testing.assert_array_equal(first(PIXELS), again(PIXELS))
    assert Weather(night=0, rain=0, blur=0, seed=3)(PIXELS) is PIXELS
