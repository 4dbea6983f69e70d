"""Parts of a graph: cut at inner tensors, they give what the whole gives."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from contracts import ArtefactError
from gpu import Cut, cut_graph, open_session


def chain(path: Path) -> Path:
    """A graph x -> 2x -> 2x + 1 over one row of three."""
    nodes = [
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Sub", ["twice", "x"], ["once"]),
        helper.make_node("Add", ["once", "twice"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def test_parts_one_after_the_other_give_what_the_whole_gives(tmp_path: Path):
    whole = chain(tmp_path / "chain.onnx")
    cuts = {"first": Cut(("x",), ("twice", "once")), "second": Cut(("once", "twice"), ("y",), batched=True)}
    first, second = (open_session(part) for part in cut_graph(whole, cuts).values())
    x = np.array([[1, 2, 3]], np.float32)
    inner = first.run({"x": x})
    np.testing.assert_array_equal(second.run(inner)["y"], open_session(whole).run({"x": x})["y"])
    rows = {name: np.repeat(array, 5, axis=0) for name, array in inner.items()}
    assert second.run(rows)["y"].shape == (5, 3)


def test_a_graph_without_the_tensor_or_none_at_all_is_refused(tmp_path: Path):
    whole = chain(tmp_path / "chain.onnx")
    with pytest.raises(ArtefactError, match=r"cannot be cut at \['nowhere', 'y'\]"):
        cut_graph(whole, {"part": Cut(("nowhere",), ("y",))})
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(ArtefactError, match="cannot be cut"):
        cut_graph(broken, {"part": Cut(("x",), ("y",))})
