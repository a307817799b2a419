"""The commands of the command line. Each reads its arguments and ends in one call."""
