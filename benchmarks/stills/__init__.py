"""Faces of the LFW protocol: found, recognised, posed and believed after anonymisation."""
