import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.vision.torchvision_nms import load_torchvision, suppress_overlaps


def reference(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    """Greedy suppression written out with plain loops."""
    kept: list[int] = []
    for index in sorted(range(len(scores)), key=lambda i: -scores[i]):
        x1, y1, x2, y2 = boxes[index]
        for other in kept:
            a1, b1, a2, b2 = boxes[other]
            shared = max(0.0, min(x2, a2) - max(x1, a1)) * max(0.0, min(y2, b2) - max(y1, b1))
            union = (x2 - x1) * (y2 - y1) + (a2 - a1) * (b2 - b1) - shared
            if union > 0 and shared / union > limit:
                break
        else:
            kept.append(index)
    return kept


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.floats(0.05, 0.95))
def test_it_equals_a_plain_greedy_suppression(seed: int, count: int, limit: float):
    generator = np.random.default_rng(seed)
    corners = generator.uniform(0, 50, (count, 2))
    boxes = np.concatenate([corners, corners + generator.uniform(0, 40, (count, 2))], axis=1)
    scores = generator.permutation(count) / max(count, 1)
    kept = suppress_overlaps(torch.from_numpy(boxes), torch.from_numpy(scores), limit)
    assert kept.tolist() == reference(boxes, scores, limit)


def test_torchvision_imports_and_suppresses_on_this_machine():
    load_torchvision()
    load_torchvision()  # a second call changes nothing
    import torchvision

    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30]])
    scores = torch.tensor([0.5, 0.9, 0.1])
    assert torchvision.ops.nms(boxes, scores, 0.5).tolist() == [1, 2]
    assert torchvision.ops.batched_nms(boxes, scores, torch.tensor([0, 1, 0]), 0.5).tolist() == [1, 0, 2]
