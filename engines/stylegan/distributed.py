"""Several processes on one training, as `torchrun --nproc-per-node N -m engines train ...` starts them.

Every process holds all of both networks and works on its part of each batch; gradients are added up by hand
instead of by torch's DistributedDataParallel, which cannot follow the second derivatives that R1 and path
length need. Since all draw from the same streams and take the same steps, the networks stay equal.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from engines import hardware
from engines.choices import Device


@dataclass(frozen=True)
class Ranks:
    """This process among `count` of one training. Alone, all that follows does nothing.

    The methods are collective: every process must call them in the same order, or all wait for each other.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process talks to the host and writes files."""
        return self.rank == 0

    def add(self, tensor: Tensor) -> None:
        """Replace `tensor` by its sum over all processes."""
        if self.count > 1:
            distributed.all_reduce(tensor)

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their sums over all processes, sent as one block."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        block = torch.cat([gradient.flatten() for gradient in gradients])
        self.add(block)
        blocks = torch.split_with_sizes(block, [gradient.numel() for gradient in gradients])
        for gradient, added in zip(gradients, blocks, strict=True):
            gradient.copy_(added.view_as(gradient))

    def from_first(self, number: int, device: torch.device) -> int:
        """The first process's `number`, in all of them."""
        if self.count == 1:
            return number
        tensor = torch.tensor(number, device=device)
        distributed.broadcast(tensor, src=0)
        return int(tensor)

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """The first process runs the block alone, then the others do."""
        if self.count > 1 and not self.is_first:
            distributed.barrier()
        yield
        if self.count > 1 and self.is_first:
            distributed.barrier()


@contextmanager
def joined(device: Device) -> Iterator[Ranks]:
    """Meet the other processes that torchrun started, if it did; leave them at the end of the block."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks()
        return
    backend = "nccl" if hardware.training_device(device).type == "cuda" else "gloo"
    distributed.init_process_group(backend)
    yield Ranks(rank=distributed.get_rank(), count=count)
    # Not after an error: the others may be waiting in another call. torchrun ends them with this process.
    distributed.destroy_process_group()
