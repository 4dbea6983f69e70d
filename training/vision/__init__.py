"""How detectors, segmenters and classifiers are made: labelled pictures, inspection, fitting, evaluation, gates."""

from __future__ import annotations

from .accuracy import Accuracy, Boxes, measure_accuracy
from .classification import train_classifier
from .dataset import Form, LabelledPicture, PictureSet, Split
from .evidence import Evidence, Findings, evaluate
from .forms import read_pictures
from .importing import ImportDeclaration, import_declared, load_declaration
from .inspection import Inspection, InspectionPolicy, inspect
from .label_export import LabelForm, write_picks
from .labelling import Candidate, Pick, find_pictures, look_through, pick_pictures
from .production import import_detector, train_detector
from .recipe import (
    ClassifyRecipe,
    DetectRecipe,
    GatesSection,
    SegmentRecipe,
    load_detect_recipe,
    load_vision_recipe,
)
from .tuning import TrialSummary, TuningResult, tune_detector
from .twins import look_at

__all__ = [
    "Accuracy",
    "Boxes",
    "Candidate",
    "ClassifyRecipe",
    "DetectRecipe",
    "Evidence",
    "Findings",
    "Form",
    "GatesSection",
    "ImportDeclaration",
    "Inspection",
    "InspectionPolicy",
    "LabelForm",
    "LabelledPicture",
    "Pick",
    "PictureSet",
    "SegmentRecipe",
    "Split",
    "TrialSummary",
    "TuningResult",
    "evaluate",
    "find_pictures",
    "import_declared",
    "import_detector",
    "inspect",
    "load_declaration",
    "load_detect_recipe",
    "load_vision_recipe",
    "look_at",
    "look_through",
    "measure_accuracy",
    "pick_pictures",
    "read_pictures",
    "train_classifier",
    "train_detector",
    "tune_detector",
    "write_picks",
]
