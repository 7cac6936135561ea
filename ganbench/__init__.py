"""ganbench: which GAN trick helps, by how much, how surely, and at what cost."""

__version__ = "0.1.0"
