"""Data resident on the device."""
