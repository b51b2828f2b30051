"""Xebo: surveys."""
