"""Studies: short trainings that differ in one choice each, and the table of what they reach."""
