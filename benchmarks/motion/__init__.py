"""People of whole clips: who is still known by how the face moves."""
