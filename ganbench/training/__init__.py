"""Random streams, the composed step, the loop, checkpoints."""
