"""Evaluation: protocols, published numbers, tables."""
