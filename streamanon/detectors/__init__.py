"""What sees faces: boxes, meshes, landmarks, recognition embeddings."""
