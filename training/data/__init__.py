"""Faces to train on: pictures to shards of aligned crops, shards to samples, samples to batches."""
