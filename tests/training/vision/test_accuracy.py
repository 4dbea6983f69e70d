import math

import numpy as np
import pytest

from training.vision.accuracy import Boxes, box_iou, count_confusions, match_boxes, measure_accuracy


def boxes(rows: list[tuple[float, float, float, float]], classes: list[int], scores: list[float] | None = None):
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Boxes(table, np.array(classes, dtype=np.int64), None if scores is None else np.array(scores))


TRUTH = [boxes([(0, 0, 40, 40), (50, 50, 90, 90)], [0, 1]), boxes([(10, 10, 60, 60)], [0])]


def test_perfect_answers_are_perfect():
    found = [boxes([tuple(b) for b in t.boxes], t.classes.tolist(), [0.9] * len(t.boxes)) for t in TRUTH]
    figures = measure_accuracy(TRUTH, found, classes=3)
    assert (figures.map50_95, figures.map50, figures.recall) == pytest.approx((1, 1, 1))
    assert figures.class_map50[:2] == pytest.approx((1, 1))
    assert math.isnan(figures.class_map50[2])
    assert (figures.pictures, figures.boxes) == (2, 3)


def test_half_of_the_boxes_of_one_class():
    found = [boxes([(0, 0, 40, 40)], [0], [0.9]), boxes([], [], [])]
    figures = measure_accuracy(TRUTH, found, classes=2)
    assert figures.class_map50 == pytest.approx((51 / 101, 0), abs=1e-6)  # precision 1 up to recall .5


def test_a_box_shifted_by_a_fifth_counts_at_the_low_overlaps_alone():
    truth, found = [boxes([(0, 0, 100, 100)], [0])], [boxes([(20, 0, 120, 100)], [0], [0.5])]
    figures = measure_accuracy(truth, found, classes=1)
    assert figures.map50 == pytest.approx(1)
    assert figures.map50_95 == pytest.approx(0.4)  # an overlap of 2/3 counts at .50, .55, .60 and .65


def test_nothing_found_and_nothing_labelled():
    assert measure_accuracy(TRUTH, [boxes([], [], [])] * 2, classes=2).map50 == 0
    assert math.isnan(measure_accuracy([boxes([], [])], [boxes([(0, 0, 1, 1)], [0], [0.5])], classes=1).map50)


def test_each_labelled_box_is_hit_once_by_the_best():
    found = boxes([(0, 0, 40, 38), (0, 0, 40, 40), (50, 50, 90, 90)], [0, 0, 0], [0.5, 0.9, 0.8])
    assert match_boxes(TRUTH[0], found).tolist() == [-1, 0, -1]  # the third has the wrong class


def test_overlaps_of_empty_boxes_are_zero():
    assert box_iou(np.zeros((1, 4)), np.zeros((2, 4))).tolist() == [[0, 0]]


def test_confusions_count_wrong_classes_misses_and_false_boxes():
    labelled = [boxes([[0, 0, 10, 10], [20, 20, 40, 40], [60, 60, 80, 80]], [0, 1, 0])]
    found = [
        boxes([[0, 0, 10, 10], [20, 20, 40, 40], [0, 60, 10, 70], [60, 60, 80, 80]], [0, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    ]
    counts = count_confusions(labelled, found, 2, least_score=0.5)
    assert counts.tolist() == [[1, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_the_suggested_score_cuts_between_right_and_wrong_boxes():
    labelled = [boxes([[0, 0, 10, 10]], [0]) for _ in range(4)]
    right = [boxes([[0, 0, 10, 10], [50, 50, 60, 60]], [0, 0], [0.8, 0.3]) for _ in range(4)]
    accuracy = measure_accuracy(labelled, right, 1)
    assert accuracy.curves is not None
    assert accuracy.curves.best_score() == pytest.approx(0.8)


def test_a_class_without_boxes_has_no_curve():
    labelled, found = [boxes([[0, 0, 10, 10]], [0])], [boxes([[0, 0, 10, 10]], [0], [0.8])]
    curves = measure_accuracy(labelled, found, 2).curves
    assert curves is not None
    assert np.isnan(curves.precision[:, 1]).all()
    assert curves.best_score() == pytest.approx(0.8)
