"""What a model is: one file per family, each an ``nn.Module`` that exports to one ONNX graph.

Not how a candidate is made (``training``) and not where a graph runs (``gpu``).
"""

from __future__ import annotations
