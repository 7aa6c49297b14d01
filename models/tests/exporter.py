"""To be imported for what it does: all exports of a process share the exporter's list of operators.

PyTorch's exporter makes it anew for each export, out of the sources of 500 operators: half a second
every time, which is half of a small export, and there are dozens in these tests.
"""

from functools import cache

from torch.onnx._internal.exporter import _registration

_operators = _registration.onnxscript_apis
_operators.get_torchlib_ops = cache(_operators.get_torchlib_ops)
