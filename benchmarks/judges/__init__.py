"""Who judges results: detectors, recognisers, expression, realism, and whether each is alive.

A judge never sees how a picture was made. Each module names what it measures and with which
network.
"""
