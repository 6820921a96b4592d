"""Models: numpy, ONNX Runtime and Arrow; never pyspark."""
