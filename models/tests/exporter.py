"""To be imported for what it does: all exports of a process share what the exporter knows of
operators.

PyTorch's exporter finds it out anew for each export, out of the sources of 500 operators: most of a
second every time, which is half of a small export, and there are dozens in these tests. No operator
is added to PyTorch between two of them.
"""

from functools import cache

import torch._export.utils as known
from torch.onnx._internal.exporter import _registration, _schemas

_operators = _registration.onnxscript_apis
_operators.get_torchlib_ops = cache(_operators.get_torchlib_ops)
_schemas.op_signature_from_function = cache(_schemas.op_signature_from_function)
known._materialize_cpp_cia_ops = cache(known._materialize_cpp_cia_ops)
