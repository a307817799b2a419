"""Face detectors, mesh fitting and recognition embeddings."""
