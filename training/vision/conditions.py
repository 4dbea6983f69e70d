"""Night, rain and motion blur, put onto day pictures: what a recipe can ask for while it fits.

Rough likenesses, not physics: dark with noise; grey veil with bright streaks; a short straight smear.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

Pixels = NDArray[np.uint8]


def make_night(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Darken to a tenth to a half, less blue lost than red, with noise of the sensor."""
    level = generator.uniform(0.08, 0.5)
    dark = pixels * (level * np.array([0.9, 0.95, 1.0])) + generator.normal(0, 3, pixels.shape)
    return dark.clip(0, 255).astype(np.uint8)


def make_rain(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Take contrast away under a grey veil and draw slanted bright streaks."""
    height, width = pixels.shape[:2]
    contrast = generator.uniform(0.25, 0.8)
    veiled = pixels * contrast + generator.uniform(110, 170) * (1 - contrast)
    drops = (generator.random((height, width)) < generator.uniform(0.002, 0.01)).astype(np.float64)
    length = max(3, height // generator.integers(12, 40))
    streaks = uniform_filter1d(drops, length, axis=0) * length
    return (veiled + 80 * streaks.clip(0, 1)[..., None]).clip(0, 255).astype(np.uint8)


def make_blur(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Smear along one axis, as a moving camera does."""
    length = int(generator.integers(3, max(4, pixels.shape[1] // 24)))
    return uniform_filter1d(pixels, length, axis=int(generator.integers(2)))


class Weather:
    """Turns a share of pictures into other conditions; the same seed gives the same sequence.

    Args:
        night: probability of night.
        rain: probability of rain.
        blur: probability of blur, beside the two others.
        seed: of the choices.
    """

    def __init__(self, *, night: float, rain: float, blur: float, seed: int) -> None:
        self._shares = (night, rain, blur)
        self._generator = np.random.default_rng(seed)

    def __call__(self, pixels: Pixels) -> Pixels:
        """Return the picture, or its likeness in another condition, of the same shape."""
        for share, make in zip(self._shares, (make_night, make_rain, make_blur), strict=True):
            if self._generator.random() < share:
                pixels = make(pixels, self._generator)
        return pixels
