"""Ozonetel CloudAgent: leads of dialler campaigns."""
