#!/usr/bin/env bash
# Lays out what the CUDA variant of the consumer adds, from the wheels of cuda-requirements.txt.
#
#     cuda.sh WHEELS-FOLDER OUT-FOLDER
#
# ONNX Runtime's package for Node has no CUDA provider; the wheel of the same version has. Provider and
# library share structures that are no public interface, so both are taken from the one build; the Node
# binding uses the C API, which is. Fails where the provider links anything that is not here, but for
# the driver (libcuda.so.1), which comes from the host.
set -euo pipefail
wheels=$1
out=$2
runtime=$out/app/node_modules/onnxruntime-node/bin/napi-v6/linux/x64
mkdir -p "$runtime" "$out/lib" "$out/unpacked"
for wheel in "$wheels"/*.whl; do unzip -q -o "$wheel" '*.so*' -d "$out/unpacked"; done
capi=$out/unpacked/onnxruntime/capi
cp "$capi"/libonnxruntime.so.1.* "$runtime/libonnxruntime.so.1"
cp "$capi"/libonnxruntime_providers_{cuda,shared}.so "$runtime/"
find "$out/unpacked/nvidia" -name '*.so*' -exec cp -t "$out/lib" {} +
rm -rf "$out/unpacked"

missing=$(LD_LIBRARY_PATH="$out/lib" ldd "$runtime/libonnxruntime_providers_cuda.so" | awk '/not found/ {print $1}')
if [ "$missing" != libcuda.so.1 ]; then
  echo "The CUDA provider should want libcuda.so.1, the driver's, and nothing else that is not here, but: ${missing:-nothing}" >&2
  exit 1
fi
# These are loaded by name when they are first used.
for library in libcudnn.so.9 libcufft.so.12 libnvrtc.so.13; do
  if [ ! -e "$out/lib/$library" ]; then
    echo "$library is missing: ONNX Runtime loads it by that name." >&2
    exit 1
  fi
done
