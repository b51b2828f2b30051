"""Collect: requests for documents and forms."""
