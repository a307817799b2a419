"""People of the London set: who is still known afterwards, by shape alone or by recognisers."""
