"""Products of dense layers on a CPU by oneDNN, the library that computes convolutions there.

PyTorch multiplies float32 matrices on a CPU by the BLAS that it is built with, which its wheels for
x86 take from MKL; oneDNN may be faster. It is reached by the operation that PyTorch's compiler uses
for weights that are constants, as an operation of our own, which that compiler leaves whole.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function, forward_ad
from torch.utils.flop_counter import register_flop_formula

WORTHWHILE = 2**22
"""So many multiplications make up for what calling a layer's products from Python takes: where
oneDNN needs half of the time, a fifth of the whole is spared from there on."""
AVAILABLE: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
"""Whether PyTorch has oneDNN on this machine, which it calls by its old name."""

_NAME = "ganbench::onednn_product"
torch.library.define(_NAME, "(Tensor a, Tensor b, Tensor? bias) -> Tensor")


class OneDnnLinear(nn.Linear):
    """A dense layer whose products oneDNN computes, forwards and backwards, where that pays.

    That is for batches of float32 vectors on a CPU, from ``WORTHWHILE`` multiplications a product,
    and not under autocast, forward-mode differentiation or a transform of ``torch.func``. Elsewhere
    it is PyTorch's own.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return x Wᵀ + b: shape (batch, in_features) to (batch, out_features)."""
        if _takes(x, self.weight):
            return product(x, self.weight, self.bias)
        return super().forward(x)


def use_onednn(net: nn.Module) -> None:
    """Have oneDNN compute the products of a network's dense layers, which stay the same modules.

    Not those of a subclass, such as one whose weight is computed.
    """
    for module in net.modules():
        if type(module) is nn.Linear:
            module.__class__ = OneDnnLinear


def has_large(net: nn.Module, batch: int) -> bool:
    """Say whether a network has dense layers that oneDNN computes for batches of so many."""
    return any(
        isinstance(module, OneDnnLinear) and batch * module.weight.numel() >= WORTHWHILE
        for module in net.modules()
    )


def product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return a bᵀ + bias, any number of times differentiable.

    As three nodes of the autograd graph rather than one, so that a backward pass leaves out the
    gradients that nobody asks for: those of D's weights in G's half.

    Parameters
    ----------
    a, b : Tensor, shapes (n, k) and (m, k)
        float32, on a CPU.
    bias : Tensor, shape (m,), optional

    Returns
    -------
    Tensor, shape (n, m)
    """
    graded = torch.is_grad_enabled()
    by_factor = graded and a.requires_grad
    by_others = graded and (b.requires_grad or (bias is not None and bias.requires_grad))
    result: Tensor
    if by_factor and by_others:
        zero = _ToOthers.apply((a,), b, bias, False)
        result = _Both.apply(_ToFactor.apply(a, (b, bias)), zero)
    elif by_factor:
        result = _ToFactor.apply(a, (b, bias))
    elif by_others:
        result = _ToOthers.apply((a,), b, bias, True)
    else:
        result = _multiplied(a, b, bias)
    return result


# What stands in a tuple is no input to autograd: no gradient of the node's goes there, though it
# is saved with its own graph, for second derivatives.


class _ToFactor(Function):
    """The product, with the gradient of its first factor alone."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, others: tuple[Tensor, Tensor | None]) -> Tensor:
        ctx.save_for_backward(others[0])
        return _multiplied(a, *others)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (b,) = ctx.saved_tensors
        return product(grad, b.t()), None


class _ToOthers(Function):
    """The product, or a zero instead, with the gradients of its second factor and its bias."""

    @staticmethod
    def forward(
        ctx: Any, factor: tuple[Tensor], b: Tensor, bias: Tensor | None, valued: bool
    ) -> Tensor:
        (a,) = factor
        if ctx.needs_input_grad[1]:
            ctx.save_for_backward(a)
        return _multiplied(a, b, bias) if valued else a.new_zeros(()).expand(len(a), len(b))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None, None]:
        _, wants_b, wants_bias, _ = ctx.needs_input_grad
        of_b = product(grad.t(), ctx.saved_tensors[0].t()) if wants_b else None
        return None, of_b, grad.sum(0) if wants_bias else None, None


class _Both(Function):
    """The value of the one, with the gradients of both."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, _: Tensor) -> Tensor:
        ctx.mark_dirty(value)
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        return grad, grad


def _takes(x: Tensor, weight: Tensor) -> bool:
    return (
        AVAILABLE
        and x.ndim == 2
        and len(x) * weight.numel() >= WORTHWHILE
        and x.shape[1] == weight.shape[1]  # PyTorch tells what does not fit more clearly
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._are_functorch_transforms_active()
        and forward_ad._current_level < 0
    )


def _multiplied(a: Tensor, b: Tensor, bias: Tensor | None) -> Tensor:
    found: Tensor = torch.ops.ganbench.onednn_product(a, b, bias)
    return found


@torch.library.impl(_NAME, "cpu")
def _by_onednn(a: Tensor, b: Tensor, bias: Tensor | None) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(_dense(a), _dense(b), bias, "none", [], "")
    return found


@torch.library.register_fake(_NAME)  # type: ignore[untyped-decorator]
def _layout(a: Tensor, b: Tensor, bias: Tensor | None) -> Tensor:
    return a.new_empty(len(a), len(b))


@register_flop_formula(torch.ops.ganbench.onednn_product)
def _operations(a: torch.Size, b: torch.Size, *_: Any, **__: Any) -> int:
    """Return what PyTorch counts for such a product."""
    return 2 * a[0] * a[1] * b[0]


def _dense(matrix: Tensor) -> Tensor:
    """Return a matrix whose rows, or columns, lie one behind the other in memory."""
    if matrix.is_contiguous() or matrix.t().is_contiguous():
        return matrix
    return matrix.contiguous()
