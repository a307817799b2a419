"""What the network costs on an NVIDIA card, in every way there is to run it.

Needs PyTorch, NumPy, OpenCV and click; onnx, onnxruntime-gpu and TensorRT only for the ways that
are theirs.
"""
