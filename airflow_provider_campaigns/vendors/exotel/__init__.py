"""Exotel: voice campaigns."""
