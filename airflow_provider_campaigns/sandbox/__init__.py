"""The five vendors' APIs as a local server, to try DAGs against; written from the vendors' pages alone."""
