"""Whether a file was really anonymised: an independent detector and a recogniser look at both."""
