"""Times CompressAI's entropy coder, in the same line protocol as oracle.py.

    {"do": "load", "symbols": [...], "indexes": [...], "cdfs": [[...]], "sizes": [...],
     "offsets": [...]}                                         -> {"value": "hex of the stream"}
    {"do": "time", "what": "python" | "native", "direction": "encode" | "decode", "calls": 4}
                                                               -> {"value": [nanoseconds]}

`python` is a call as users make it: lists in, bytes or a list out. `native` is the same C++ on C++
vectors; it is there when PYTHONPATH names what `prepareNative` of prepare.ts made, and then
`python` is a call of the very same machine code. Otherwise `python` is a call of the wheel.
"""

import importlib.util
from time import perf_counter_ns

from answers import answer_all

try:
    import native_loop
except ImportError:
    native_loop = None

if native_loop:
    spec = importlib.util.spec_from_file_location("ans", native_loop.__file__)
    ans = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ans)
else:
    from compressai import ans


class PythonLatent:
    def __init__(self, symbols, *shape):
        self.symbols = symbols
        self.shape = shape
        self.encode_ns()

    def encode_ns(self):
        start = perf_counter_ns()
        self.bytes = ans.RansEncoder().encode_with_indexes(self.symbols, *self.shape)
        return perf_counter_ns() - start

    def decode_ns(self):
        start = perf_counter_ns()
        decoded = ans.RansDecoder().decode_with_indexes(self.bytes, *self.shape)
        elapsed = perf_counter_ns() - start
        if decoded != self.symbols:
            raise ValueError("decoding gives other symbols")
        return elapsed

    def encoded(self):
        return self.bytes


latents = {}


def load(symbols, indexes, cdfs, sizes, offsets):
    # CompressAI keeps its tables in one tensor, so rows are padded to the longest.
    width = max(sizes)
    padded = [row + [0] * (width - len(row)) for row in cdfs]
    latents["python"] = PythonLatent(symbols, indexes, padded, sizes, offsets)
    if native_loop:
        latents["native"] = native_loop.Latent(symbols, indexes, padded, sizes, offsets)
    streams = {latent.encoded() for latent in latents.values()}
    if len(streams) > 1:
        raise ValueError("the two calls give different bytes")
    return streams.pop().hex()


def time(what, direction, calls):
    latent = latents[what]
    once = latent.encode_ns if direction == "encode" else latent.decode_ns
    return [once() for _ in range(calls)]


answer_all({"load": load, "time": time})
