"""Inspections: pictures of what generators and discriminators have learned."""
