"""One face: landmarks, warp, lids, lashes, mouth, light; the inputs and outputs of the network."""
