"""One step of a machine as an ONNX file, for other runtimes; needs ``rimkit[onnx]``."""
