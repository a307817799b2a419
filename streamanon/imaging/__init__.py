"""Pictures: planes and colours, boxes, regions, orientation, supersampling."""
