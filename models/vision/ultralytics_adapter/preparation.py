"""Makes ultralytics importable: offline, silent, and without its own tracking.

Meant for a process of its own, because ultralytics changes settings and patches libraries where it is loaded.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from matplotlib import get_data_path
from PIL import Image

from models.vision.torchvision_nms import load_torchvision

SILENT_SETTINGS = ("mlflow", "sync", "clearml", "comet", "dvc", "hub", "neptune", "raytune", "tensorboard", "wandb")


def prepare(folder: Path) -> None:
    """Make ultralytics importable, offline and silent.

    Args:
        folder: where its settings may lie; a font is put there, or it would wait for the network on each run.
    """
    os.environ |= {"YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(folder), "YOLO_VERBOSE": "false"}
    os.environ.setdefault("YOLO_OFFLINE", "true")
    own = folder / "Ultralytics"
    own.mkdir(parents=True, exist_ok=True)
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        shutil.copyfile(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf", own / name)
    load_torchvision()
    pillow_open = Image.open
    from ultralytics import settings  # lazy: reads the environment at import
    from ultralytics.utils import patches  # noqa: F401 - lazy: so that what it replaces is replaced here

    Image.open = pillow_open  # ultralytics' own wants a further package for every file that is no picture
    settings.update(dict.fromkeys((key for key in SILENT_SETTINGS if key in settings), False))
