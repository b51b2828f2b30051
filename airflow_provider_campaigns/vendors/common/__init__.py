"""What the vendors share."""
