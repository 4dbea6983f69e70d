"""Drawn street scenes: seeded pictures with labels, for a demo and for tests that must not depend on anybody's data.

They are drawings and say so wherever they are shown. A detector that learned from them has learned drawings.
"""

from __future__ import annotations

from .camera import Camera
from .dataset import DrawingPlan, draw_dataset, map_on_all_cores
from .picture import DrawnPicture, draw_scene
from .scene import LABELS, Light, Scene, Street, Weather, imagine_scene
from .story import StoryFrame, tell_story

__all__ = [
    "LABELS",
    "Camera",
    "DrawingPlan",
    "DrawnPicture",
    "Light",
    "Scene",
    "StoryFrame",
    "Street",
    "Weather",
    "draw_dataset",
    "draw_scene",
    "imagine_scene",
    "map_on_all_cores",
    "tell_story",
]
