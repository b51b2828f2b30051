"""TaskFlow decorators: what a function returns or yields is delivered in the same task."""
