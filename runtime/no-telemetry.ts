/**
 * ONNX Runtime 1.30 on Linux reports its use to Microsoft unless this variable says no, and keeps a
 * device id in the user's cache folder. What runs beside a camera reports to nobody: to be imported
 * before ONNX Runtime, and once more in the main thread of a process that loads it in others, since
 * only there does a change reach the native code.
 */
process.env.ORT_DISABLE_TELEMETRY = '1';
