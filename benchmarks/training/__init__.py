"""What training comes to with the samples seen, and what each part of the network is worth."""
