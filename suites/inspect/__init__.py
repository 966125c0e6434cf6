"""Reads Inspect's logs, without Inspect."""
