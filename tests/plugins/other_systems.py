"""What the tests of other people's networks have in common."""

import torch

from ganbench.plugin import Host, LatentSpec, TrainingSpec


def build(name, shape, latent=100, **parameters):
    """Return a system's pair, its weights drawn as a trial draws them."""
    architecture = Host().create("architecture", name, parameters)
    (pair,) = architecture.build_pairs(spec(shape, latent))
    torch.manual_seed(0)
    for net in (pair.generator, pair.discriminator):
        for module in net.modules():
            if list(module.parameters(recurse=False)):
                architecture.initialise(module)
    return pair


def spec(shape, latent=100):
    return TrainingSpec(shape, LatentSpec(latent), 4, 10, {})


def trained(net):
    """Return the number of weights that are trained."""
    return sum(p.numel() for p in net.parameters())


def with_statistics(net):
    """Return the number that Keras prints: BatchNorm's running statistics count too."""
    state = net.state_dict().items()
    return sum(value.numel() for key, value in state if not key.endswith("num_batches_tracked"))


def each_block(net):
    """Return the trained weights of each of a network's blocks, by name."""
    return {name: trained(block) for name, block in net.named_children()}


def maps(pair, shape):
    """Return the shape of each of D's feature maps for a batch of two."""
    _, features = pair.discriminator.forward_with_features(torch.zeros(2, *shape))
    return [tuple(value.shape[1:]) for value in features.values()]


def through(net, x):
    """Return the shape behind each of G's blocks."""
    shapes = []
    for block in net:
        x = block(x)
        shapes.append(tuple(x.shape[1:]))
    return shapes


def refusal(name, shape):
    """Return why an architecture does not support a shape, None if it does."""
    supported, reason = Host().create("architecture", name).supports(spec(shape))
    return None if supported else reason


def layers(net, kind):
    """Return a network's layers of one kind, in order."""
    return [module for module in net.modules() if isinstance(module, kind)]
