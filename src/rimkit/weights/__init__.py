"""Trained models: the files in the package, a card for each, and the loader."""

from rimkit.weights.models import Card, card, load, model_names, sha256
from rimkit.weights.store import save

__all__ = ["Card", "card", "load", "model_names", "save", "sha256"]
