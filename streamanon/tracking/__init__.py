"""Who is where: detection, tracks, smoothing, scene cuts, identities, look-ahead."""
