"""Night, rain and motion blur, put onto day pictures: what a recipe can ask for while it fits.

Rough likenesses, not physics: dark with noise; grey veil with bright streaks; a short straight smear. They range
from a slight to a heavy change, so that no camera's own night has to be known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

Pixels = NDArray[np.uint8]


def make_night(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Darken to a twenty-fifth to a half, each halving as likely, with a tint of the lamps and noise of the sensor."""
    level = np.float32(np.exp(generator.uniform(np.log(0.04), np.log(0.5))))
    tint = generator.uniform(0.9, 1.0, 3).astype(np.float32)
    noise = generator.standard_normal(pixels.shape, np.float32) * np.float32(generator.uniform(0, 3))
    dark = pixels * (level * tint) + np.float32(generator.uniform(0, 8)) + noise
    return dark.clip(0, 255).astype(np.uint8)


def make_rain(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Take contrast away under a grey veil and draw bright streaks."""
    height, width = pixels.shape[:2]
    contrast = np.float32(generator.uniform(0.12, 0.8))
    veiled = pixels * contrast + np.float32(generator.uniform(110, 170)) * (1 - contrast)
    drops = (generator.random((height, width), np.float32) < generator.uniform(0.001, 0.01)).astype(np.float32)
    length = max(3, height // int(generator.integers(12, 60)))
    streaks = (uniform_filter1d(drops, length, axis=0) * length).clip(0, 1)
    return (veiled + np.float32(generator.uniform(40, 110)) * streaks[..., None]).clip(0, 255).astype(np.uint8)


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
