"""A running streamanon seen from outside: the page, the metrics, the REST API, the camera page."""
