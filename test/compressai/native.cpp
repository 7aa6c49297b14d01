// CompressAI's own entropy coder without Python around it, timed from the inside. The included file
// is CompressAI's, from its published source archive; prepare.ts downloads it and compiles this.
//
// This module has both: `encode_ns` and `decode_ns` time calls on C++ vectors, and the included
// file's own Python module, compressai.ans, can be loaded from the same shared object. So the
// difference of the two is what Python's lists cost, with the same machine code underneath.
#include <chrono>

#include "rans_interface.cpp"

namespace {

using Vector = std::vector<int32_t>;
using Clock = std::chrono::steady_clock;

double since_ns(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

// What one call codes, converted from Python once.
class Latent {
 public:
  Latent(Vector symbols, Vector indexes, std::vector<Vector> cdfs, Vector sizes, Vector offsets)
      : symbols_(std::move(symbols)),
        indexes_(std::move(indexes)),
        cdfs_(std::move(cdfs)),
        sizes_(std::move(sizes)),
        offsets_(std::move(offsets)) {
    encode_ns();
  }

  // Includes the construction of the encoder and its output, as any caller would pay for them.
  double encode_ns() {
    const auto start = Clock::now();
    RansEncoder encoder;
    const py::bytes bytes = encoder.encode_with_indexes(symbols_, indexes_, cdfs_, sizes_, offsets_);
    const double elapsed = since_ns(start);
    encoded_ = bytes;
    return elapsed;
  }

  double decode_ns() {
    const auto start = Clock::now();
    RansDecoder decoder;
    const Vector decoded = decoder.decode_with_indexes(encoded_, indexes_, cdfs_, sizes_, offsets_);
    const double elapsed = since_ns(start);
    if (decoded != symbols_) throw std::runtime_error("decoding gives other symbols");
    return elapsed;
  }

  py::bytes encoded() const { return py::bytes(encoded_); }

 private:
  Vector symbols_, indexes_;
  std::vector<Vector> cdfs_;
  Vector sizes_, offsets_;
  std::string encoded_;
};

}  // namespace

PYBIND11_MODULE(native_loop, module) {
  py::class_<Latent>(module, "Latent")
      .def(py::init<Vector, Vector, std::vector<Vector>, Vector, Vector>())
      .def("encode_ns", &Latent::encode_ns)
      .def("decode_ns", &Latent::decode_ns)
      .def("encoded", &Latent::encoded);
}
