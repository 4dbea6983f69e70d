"""Write an ONNX file as an MLflow model, so that MLflow's scorer can serve it: ``mlflow_model.py MODEL FOLDER``."""

import sys

import mlflow.onnx
import numpy as np
import onnx
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

if __name__ == "__main__":
    source, folder = sys.argv[1:]
    signature = ModelSignature(inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, 168), "context")]))
    mlflow.onnx.save_model(
        onnx.load(source),
        folder,
        signature=signature,
        pip_requirements=[],
        onnx_session_options={"execution_mode": "sequential", "intra_op_num_threads": 1},
    )
