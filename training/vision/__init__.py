"""How a detector is made: labelled pictures, their inspection, fitting, evaluation, gates, registration."""

from __future__ import annotations

from .accuracy import Accuracy, Boxes, measure_accuracy
from .classification import train_classifier
from .dataset import Form, LabelledPicture, PictureSet, Split
from .evidence import Evidence, Findings, evaluate
from .forms import read_pictures
from .inspection import Inspection, InspectionPolicy, inspect
from .production import import_detector, train_detector
from .recipe import ClassifyRecipe, DetectRecipe, GatesSection, load_detect_recipe, load_vision_recipe

__all__ = [
    "Accuracy",
    "Boxes",
    "ClassifyRecipe",
    "DetectRecipe",
    "Evidence",
    "Findings",
    "Form",
    "GatesSection",
    "Inspection",
    "InspectionPolicy",
    "LabelledPicture",
    "PictureSet",
    "Split",
    "evaluate",
    "import_detector",
    "inspect",
    "load_detect_recipe",
    "load_vision_recipe",
    "measure_accuracy",
    "read_pictures",
    "train_classifier",
    "train_detector",
]
