"""The only code that opens sockets: a blocking transport (requests) and an async one (aiohttp)."""
