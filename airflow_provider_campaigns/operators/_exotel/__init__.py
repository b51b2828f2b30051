"""The parts of the Exotel operators; they are imported from ``operators.exotel``."""
