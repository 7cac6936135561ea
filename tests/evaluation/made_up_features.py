"""Features that every evaluator can be given alike."""

import torch


def features(count: int, width: int, seed: int, spread: float = 1.0) -> torch.Tensor:
    """Return non-negative, correlated features, as a ReLU leaves them: float64."""
    draws = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=torch.Generator().manual_seed(99)).double()
    points = torch.randn(count, width, generator=draws).double()
    return (spread * (points @ mix) / width**0.5 + 0.3).clamp(min=0)
