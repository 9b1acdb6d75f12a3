"""Models in ONNX: their typed inputs and outputs, and running them in a process with limits."""
