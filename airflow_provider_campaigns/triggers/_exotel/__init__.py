"""The parts of the Exotel triggers; they are imported from ``triggers.exotel``."""
