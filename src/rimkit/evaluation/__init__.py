"""Evaluation: protocols, published numbers, tables, what restoring takes."""
