"""Training: recipe, loss, the Lightning module, checkpoints. Needs ``rimkit[train]``."""
