"""The progress of training, and the effect of each part of the network."""
