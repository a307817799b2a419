"""Other anonymisers on the same clips, beside ours; one adapter file a peer."""
