"""A face from its anonymised crop and a code of 256 bytes, after G2Face: only to compare."""
