"""PyTorch modules -> ONNX graphs as a bundle holds them, with a free batch dimension `N`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from torch import Tensor, nn

OPSET = 18
IR_VERSION = 10
HALF_LEAST = 512  # Initialisers with fewer numbers stay float32.


def to_onnx(
    module: nn.Module,
    example: dict[str, Tensor],
    outputs: list[str],
    path: Path,
    translations: dict[Callable[..., object], Callable[..., object]] | None = None,
) -> None:
    """Exports with a free batch dimension N. `translations`: custom operators -> ONNX."""
    batch = torch.export.Dim("N", min=1, max=1024)
    doubled = tuple(torch.cat([x, x]) for x in example.values())  # A batch of 1 would be baked in.
    torch.onnx.export(
        module.eval(), doubled, str(path), dynamo=True, opset_version=OPSET,
        input_names=list(example), output_names=outputs,
        dynamic_shapes=tuple({0: batch} for _ in example), external_data=False, verbose=False,
        custom_translation_table=translations,
    )  # fmt: skip
    model = onnx.load(str(path))
    model.ir_version = min(model.ir_version, IR_VERSION)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    for node in model.graph.node:
        node.ClearField("metadata_props")  # Exporter's source paths: large and private.
        node.doc_string = ""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    model.graph.ClearField("metadata_props")
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def halve_weights(path: Path) -> None:
    """Stores large float32 initialisers as float16 with a Cast; the graph computes in float32.

    onnxruntime folds the Casts when it loads the graph, so speed is unchanged.
    """
    model = onnx.load(str(path))
    kept, casts = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < HALF_LEAST:
            kept.append(tensor)
            continue
        assert np.abs(values).max() < 6e4, tensor.name
        half = f"{tensor.name}_half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), half))
        cast = onnx.helper.make_node("Cast", [half], [tensor.name], to=onnx.TensorProto.FLOAT)
        casts.append(cast)
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def session(model: Path | bytes, threads: int = 2) -> ort.InferenceSession:
    """A graph in onnxruntime on the CPU."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Threads that spin while they wait slow down whatever else runs on the machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
