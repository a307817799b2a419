"""Tables, plots and pictures, generated from the results alone."""
