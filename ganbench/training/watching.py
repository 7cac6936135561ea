"""What early warnings look at: how surely D tells images apart, and what of it reaches G."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor

from ganbench.training.arithmetic import float32_products
from ganbench.training.looking import trained_discriminator
from ganbench.training.trial import Trial

ITEMS = 256
"""Items of each kind that D is shown."""
OPINION = 6.0
"""Standard errors that training items and fakes lie apart in where D has an opinion."""


def watch(trial: Trial) -> dict[str, float]:
    """Look at both networks as they are, without disturbing them: copies, in evaluation mode.

    Training itself is not instrumented: nothing is added to a step, whatever computes it.

    Returns
    -------
    dict of str to float
        ``accuracy``: of D at the threshold that is best for it, on training items and G's
        images alike; 0.5 by chance, 1 at best. So it means the same under every objective.
        ``gradient``: root mean square of the gradient of G's loss, over G's parameters; 0 or
        more. Without tricks' shares in the loss.
        ``overfitting``: how far D takes held-out items for fakes: (E[D(training)] −
        E[D(held out)]) / (E[D(training)] − E[D(fake)]), 0 for not at all, 1 for just as much
        (Karras et al., 2020, StyleGAN2-ADA, equation 1). Left out where D has no opinion.
        Empty where D judges no single items.
    """
    seen = trained_discriminator(trial)
    if seen.obstacle:
        return {}
    built = next(built for built in trial.pairs if built.pair.name == seen.pair)
    generator = deepcopy(built.pair.generator).eval()
    params = [parameter for parameter in generator.parameters() if parameter.requires_grad]
    items = trial.resident.items[_spread(len(trial.resident), ITEMS, trial.device)]
    with trial.sampler() as sampler:
        z = sampler.latents(len(items))[seen.pair]
    held_out = trial.resident.data.held_out
    with (
        trial.streams.layers(),
        torch.autocast(trial.device.type, enabled=False),
        float32_products(tf32=False),
    ):
        trial.streams.seed_layers("evaluation", "watch")
        with torch.no_grad():
            inputs = seen.inputs(items)
            real = seen.network(*inputs)
            kept = None if held_out is None else seen.network(*seen.inputs(held_out[:ITEMS]))
        with torch.enable_grad():
            made = generator(z, *inputs[1:])
            fake = seen.network(made, *inputs[1:])
            gradient = _gradient(trial, fake, real, params)
    figures = {"accuracy": best_accuracy(real, fake), "gradient": gradient}
    if kept is not None:
        overfitting = share_overfitted(real, kept, fake)
        if overfitting is not None:
            figures["overfitting"] = overfitting
    return figures


def best_accuracy(real: Tensor, fake: Tensor) -> float:
    """Return the accuracy, on as many of both, of the best threshold between logits.

    That is (1 + KS) / 2, of the largest distance KS between their distribution functions.

    Parameters
    ----------
    real, fake : Tensor, shapes (n, 1) and (m, 1)
    """
    both = torch.cat([real, fake]).detach().flatten().cpu().double()
    steps = torch.ones_like(both)
    steps[: len(real)] /= -len(real)
    steps[len(real) :] /= len(fake)
    values, order = both.sort()
    # Up to each value: the share of fakes that lies below, less that of real items.
    ahead = steps[order].cumsum(0)
    # Between equal values there is no threshold.
    ends = torch.cat([values[1:] > values[:-1], torch.tensor([True])])
    return float(0.5 + 0.5 * ahead[ends].max().clamp(min=0))


def share_overfitted(training: Tensor, held_out: Tensor, fake: Tensor) -> float | None:
    """Return how far held-out items lie from training items towards fakes, in D's opinion.

    Parameters
    ----------
    training, held_out, fake : Tensor, shapes (n, 1), (k, 1) and (m, 1)
        D's logits.

    Returns
    -------
    float or None
        None where training items and fakes are not ``OPINION`` standard errors apart: then
        there is nothing to measure it by.
    """
    logits = [given.detach().cpu().double().flatten() for given in (training, held_out, fake)]
    mine, kept, made = (float(given.mean()) for given in logits)
    error = sum(float(given.var()) / len(given) for given in (logits[0], logits[2])) ** 0.5
    if not mine - made > OPINION * error:
        return None
    return (mine - kept) / (mine - made)


def _gradient(trial: Trial, fake: Tensor, real: Tensor, params: Sequence[Tensor]) -> float:
    objective = trial.objective
    targets = torch.full_like(fake, objective.generator_target)
    loss = objective.generator_loss(fake, targets, real if objective.generator_needs_real else None)
    found = torch.autograd.grad(loss, params, allow_unused=True, materialize_grads=True)
    norms = torch.stack([torch.linalg.vector_norm(part.float()) for part in found])
    count = sum(parameter.numel() for parameter in params)
    return float((norms.cpu().double().square().sum() / count).sqrt())


def _spread(count: int, most: int, device: torch.device) -> Tensor:
    """Return indices spread evenly over the data."""
    return torch.linspace(0, count - 1, min(most, count), device=device).long()
