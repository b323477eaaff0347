"""What a machine of ours costs, measured on the machine at hand."""
