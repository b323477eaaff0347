"""What training and restoring cost, measured on this computer."""
