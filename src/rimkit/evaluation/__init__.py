"""Evaluation: protocols, published numbers, tables, time and memory."""
