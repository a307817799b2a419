"""Tables, plots and pictures out of the results, and out of nothing else."""
