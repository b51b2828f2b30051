"""The sending: requests in flight, replies recorded, signals, limits, and resuming after a crash."""
