"""Xtremepush: push, SMS and e-mail campaigns."""
