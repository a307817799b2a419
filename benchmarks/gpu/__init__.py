"""The cost of the network on an NVIDIA GPU, by every runtime and precision.

Needs PyTorch, NumPy, OpenCV and click; onnx, onnxruntime-gpu and TensorRT only for the variants
that are theirs.
"""
