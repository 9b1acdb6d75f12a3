"""The training step of a LoRA with few, large operations: linear layers and whole attentions, both ways.

Small bases spend a third of a step on calling operations, not in them. Written out by hand, a layer takes
half as many: nothing is recorded in between, gradients are added where they are computed, and layers that
read the same input (an attention's query, key and value) are one product. Weights of the base are frozen, so
no gradient of theirs is ever asked for. Alpha equals the rank, so nothing is scaled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Gradients = tuple[Tensor | None, ...]
_SOFTMAX_BACKWARD = torch.ops.aten._softmax_backward_data.out  # noqa: SLF001 -- what softmax itself calls


class LoraLinear(torch.autograd.Function):
    """x `[..., in]` -> W x + bias + B A x `[..., out]`; A `[r, in]` and B `[out, r]` keep their own dtype."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Linear, down: Tensor, up: Tensor) -> Tensor:
        """See the class."""
        flat = x.flatten(0, -2)
        a, b = down.to(x.dtype), up.to(x.dtype)
        low = flat @ a.t()
        result = _times(flat, layer.weight, layer.bias).addmm_(low, b.t())
        ctx.save_for_backward(flat, low, a, b)
        ctx.weight, ctx.shape, ctx.kind = layer.weight, x.shape, down.dtype
        return result.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        """Of x, A and B."""
        flat, low, a, b = ctx.saved_tensors
        gradient = gradient.flatten(0, -2)
        for_low = gradient @ b
        for_x = None
        if ctx.needs_input_grad[0]:
            for_x = (gradient @ ctx.weight).addmm_(for_low, a).view(ctx.shape)
        return for_x, None, (for_low.t() @ flat).to(ctx.kind), (gradient.t() @ low).to(ctx.kind)


@dataclass(frozen=True)
class Joined:
    """Linear layers that read the same input, as one: weights `[sum of out, in]`, and each one's rows."""

    weight: Tensor
    bias: Tensor | None
    widths: tuple[int, ...]

    @classmethod
    def of(cls, layers: Sequence[nn.Linear]) -> "Joined":
        """Layers of one width of input; either all of them have a bias or none."""
        biases = [layer.bias for layer in layers if layer.bias is not None]
        return cls(
            torch.cat([layer.weight.detach() for layer in layers]),
            torch.cat([bias.detach() for bias in biases]) if biases else None,
            tuple(layer.out_features for layer in layers),
        )

    def factors(self, pairs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """A `[sum of ranks, in]`, and B `[sum of out, sum of ranks]` with each layer's in a block of its own.

        `pairs` are A and B of each layer in turn, in whatever dtype.
        """
        downs, ups = pairs[::2], pairs[1::2]
        rank = len(downs[0])
        down = self.weight.new_empty(rank * len(downs), self.weight.shape[1])
        up = self.weight.new_zeros(len(self.weight), rank * len(ups))
        for number, (one, part) in enumerate(zip(downs, self._blocks(up), strict=True)):
            down[number * rank : (number + 1) * rank].copy_(one)
            part.copy_(ups[number])
        return down, up

    def forward(self, flat: Tensor, down: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs `[M, sum of out]` of inputs `[M, in]`, and A x."""
        low = flat @ down.t()
        return _times(flat, self.weight, self.bias).addmm_(low, up.t()), low

    def backward(
        self, gradient: Tensor, flat: Tensor, low: Tensor, down: Tensor, up: Tensor, *, reaches: bool
    ) -> tuple[Tensor | None, list[Tensor]]:
        """The gradient of the inputs where it `reaches` them, and those of each layer's A and B, float32."""
        for_low = gradient @ up
        for_flat = (gradient @ self.weight).addmm_(for_low, down) if reaches else None
        for_down = (for_low.t() @ flat).float()
        for_up = (gradient.t() @ low).float()
        rank = len(down) // len(self.widths)
        pairs = zip(torch.split(for_down, rank), self._blocks(for_up), strict=True)
        return for_flat, [part for pair in pairs for part in pair]

    def _blocks(self, up: Tensor) -> list[Tensor]:
        rank = up.shape[1] // len(self.widths)
        rows = torch.split(up, list(self.widths))
        return [part[:, number * rank : (number + 1) * rank] for number, part in enumerate(rows)]


@dataclass(frozen=True)
class Attention:
    """The frozen part of an attention: query, key and value from its input, or key and value `from_text`."""

    heads: int
    scale: float
    from_input: Joined
    from_text: Joined | None
    out: Joined


class LoraAttention(torch.autograd.Function):
    """x `[N, L, C]`, text `[N, T, D]` or None -> softmax(scale Q K^T) V, projected: `[N, L, C]`.

    `pairs` are A and B, float32, of query, key, value and output.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, text: Tensor | None, frozen: Attention, *pairs: Tensor) -> Tensor:
        """See the class."""
        flat, heads = x.flatten(0, 1), frozen.heads
        theirs: tuple[Tensor, ...] = ()  # A and B of key and value, where these read the text
        others: tuple[Tensor, ...] = ()  # their inputs, and A of these
        if frozen.from_text is None or text is None:
            mine = frozen.from_input.factors(pairs[:6])
            projected, low = frozen.from_input.forward(flat, *mine)
            query, key, value = (_split(part, x, heads) for part in projected.chunk(3, 1))
        else:
            mine, of_text = frozen.from_input.factors(pairs[:2]), frozen.from_text.factors(pairs[2:6])
            projected, low = frozen.from_input.forward(flat, *mine)
            query, words = _split(projected, x, heads), text.flatten(0, 1)
            both, words_low = frozen.from_text.forward(words, *of_text)
            key, value = (_split(part, text, heads) for part in both.chunk(2, 1))
            theirs, others = of_text, (words, words_low)
        query = query * frozen.scale  # small beside the weights, which are then never scaled
        weights = torch.bmm(query, key.transpose(1, 2))
        torch.softmax(weights, -1, out=weights)
        mixed = _merge(torch.bmm(weights, value), heads)
        last = frozen.out.factors(pairs[6:])
        result, mixed_low = frozen.out.forward(mixed, *last)
        ctx.frozen, ctx.shape, ctx.text_shape = frozen, x.shape, None if text is None else text.shape
        ctx.save_for_backward(
            flat, low, query, key, value, weights, mixed, mixed_low, *mine, *last, *others, *theirs
        )
        return result.view(x.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        """Of x, text and the pairs."""
        flat, low, query, key, value, weights, mixed, mixed_low, *factors = ctx.saved_tensors
        frozen: Attention = ctx.frozen
        heads = frozen.heads
        for_mixed, of_out = frozen.out.backward(
            gradient.flatten(0, 1), mixed, mixed_low, *factors[2:4], reaches=True
        )
        assert for_mixed is not None
        for_mixed = _split(for_mixed, gradient, heads)
        # Of a product with weights transposed the transpose is taken: that is quicker by a quarter.
        for_value = torch.bmm(for_mixed.transpose(1, 2), weights).transpose(1, 2)
        scores = torch.bmm(for_mixed, value.transpose(1, 2))
        _SOFTMAX_BACKWARD(scores, weights, -1, weights.dtype, grad_input=scores)
        for_query = torch.bmm(scores, key).mul_(frozen.scale)
        for_key = torch.bmm(query.transpose(1, 2), scores).transpose(1, 2)
        parts = [_merge(part, heads) for part in (for_query, for_key, for_value)]
        for_text = None
        reaches, reaches_text = ctx.needs_input_grad[:2]
        if frozen.from_text is None:
            for_x, of_input = frozen.from_input.backward(
                torch.cat(parts, 1), flat, low, *factors[:2], reaches=reaches
            )
            of_text: list[Tensor] = []
        else:
            for_x, of_input = frozen.from_input.backward(parts[0], flat, low, *factors[:2], reaches=reaches)
            words, words_low, *theirs = factors[4:]
            for_text, of_text = frozen.from_text.backward(
                torch.cat(parts[1:], 1), words, words_low, *theirs, reaches=reaches_text
            )
        for_x = None if for_x is None else for_x.view(ctx.shape)
        for_text = None if for_text is None else for_text.view(ctx.text_shape)
        return for_x, for_text, None, *of_input, *of_text, *of_out


class WideGroupNorm(torch.autograd.Function):
    """Group normalisation of x `[N, C, H, W]` with frozen weights, whose backward pass goes by float32.

    PyTorch's own takes four times as long in bfloat16 where channels lie side by side.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: nn.GroupNorm) -> Tensor:
        """See the class."""
        is_last = x.is_contiguous(memory_format=torch.channels_last)
        ctx.layout = torch.channels_last if is_last else torch.contiguous_format
        x = x.contiguous(memory_format=ctx.layout)
        sizes = (len(x), x.shape[1], x[0, 0].numel(), norm.num_groups)
        result, mean, deviation = torch.native_group_norm(x, norm.weight, norm.bias, *sizes, norm.eps)
        ctx.save_for_backward(x, mean, deviation)
        ctx.weight, ctx.sizes = norm.weight, sizes
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        """Of x alone."""
        gradient = gradient.contiguous(memory_format=ctx.layout)
        wide = (tensor.float() for tensor in (gradient, *ctx.saved_tensors, ctx.weight))
        back = torch.ops.aten.native_group_norm_backward
        return back(*wide, *ctx.sizes, [True, False, False])[0].to(gradient.dtype), None


def _times(flat: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return flat @ weight.t() if bias is None else torch.addmm(bias, flat, weight.t())


def _split(flat: Tensor, like: Tensor, heads: int) -> Tensor:
    """`[N * L, C]` -> `[N * heads, L, C / heads]`; N and L are those of `like`."""
    parts = flat.view(*like.shape[:2], heads, -1).transpose(1, 2)
    return parts.reshape(-1, like.shape[1], parts.shape[-1])


def _merge(parts: Tensor, heads: int) -> Tensor:
    """`[N * heads, L, D]` -> `[N * L, heads * D]`."""
    together = parts.view(-1, heads, *parts.shape[1:]).transpose(1, 2)
    return together.reshape(-1, heads * parts.shape[2])
