"""MLServer with a runtime of one's own, as its documentation writes one."""

import os

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(MLModel):
    """One model."""

    async def load(self) -> bool:
        """Open the model on one thread."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Forecast."""
        context = NumpyCodec.decode_input(payload.inputs[0])
        (found,) = self.session.run(None, {"context": context})
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("quantiles", found)])
