"""Configuration of loading."""
