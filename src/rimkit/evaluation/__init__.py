"""Evaluation: protocols, published numbers, tables and figures."""
