"""From points to latents and pictures, for one loaded model."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from engines.errors import ConfigError, ModelError
from engines.images import UInt8Array
from engines.stylegan.directions import Directions
from engines.stylegan.generate import Generator
from engines.stylegan.latent_map import AXIS_LIMIT, DRIFT, Landscape, bounded, places_of
from engines.stylegan.layers import Bands, bands
from engines.stylegan.points import LatentMap, MapPlace, Mix, Moved, Point, Seed, Tile, Vector
from engines.stylegan.randomness import latents


class LatentSpace:
    """A model's latent space: what points mean in it. Keep one beside its generator and use it again.

    Points with values of other models are accepted where these are in `relatives` (SHA-256 of generators) or
    in the model's own lineage: there the same values mean something similar. `cache` is a folder in which
    directions are kept. Everything is deterministic.
    """

    def __init__(
        self, generator: Generator, *, cache: Path | None = None, relatives: frozenset[str] = frozenset()
    ) -> None:
        self.generator = generator
        self._cache = cache
        ancestors = {entry["sha256"] for entry in generator.info.lineage if entry.get("kind") == "model"}
        self._accepted = {generator.info.sha256, *ancestors, *relatives}

    @cached_property
    def directions(self) -> Directions:
        """The model's principal directions; finding them takes up to seconds the first time."""
        return Directions.of(self.generator, folder=self._cache)

    @cached_property
    def bands(self) -> Bands:
        """Which layers are coarse, middle and fine."""
        return bands(self.generator.info.family, self.generator.info.architecture)

    def ws(self, points: Sequence[Point]) -> Tensor:
        """One w for each layer of each point: float32 `[N, num_ws, w_dim]`, truncation applied.

        Raises ModelError for a point of another model and ConfigError for a layer or direction that this
        one does not have.
        """
        with torch.inference_mode():
            rows = [self._ws(point) for point in points]
        return torch.stack(rows) if rows else torch.empty(0, self.generator.num_ws, len(self.generator.w_avg))

    def images(self, points: Sequence[Point], *, batch_size: int = 16) -> UInt8Array:
        """The pictures of points: uint8 `[N, H, W, 3]`. Raises as `ws` does."""
        return self.generator.images_of(self.ws(points), batch_size=batch_size)

    def z(self, points: Sequence[Point]) -> Tensor:
        """The z of points that have one: seeds, and tiles of maps without centre and axes. `[N, z_dim]`.

        Raises ConfigError for others.
        """
        return torch.cat([self._z(point) for point in points])

    def ws_of_z(self, z: Tensor, truncation: float | Tensor) -> Tensor:
        """float32 `[N, z_dim]` to `[N, num_ws, w_dim]`; `truncation` is one for all or `[N, 1]`."""
        with torch.inference_mode():
            w = self.generator.w_avg.lerp(self.generator.mapping(z), torch.as_tensor(truncation))
        return w[:, None].expand(-1, self.generator.num_ws, -1)

    def map_ws(self, latent_map: LatentMap, tiles: Sequence[Tile]) -> Tensor:
        """The latents of a map's tiles: float32 `[N, num_ws, w_dim]`. Raises as `ws` does.

        The formula stands in engines.stylegan.latent_map.
        """
        with torch.inference_mode():
            ways = places_of(latent_map, [Tile(x=0, y=0), *tiles])  # the middle first
            landscape = Landscape.of(latent_map.seed, self.generator.z_dim)
            places = ways if latent_map.axes is None else ways * DRIFT
            ws = self.ws_of_z(torch.from_numpy(landscape.z(places)), latent_map.truncation)
            if latent_map.centre is not None:
                likeness = torch.from_numpy(landscape.likeness(places))[:, None, None]
                ws = ws + likeness * (self._ws(latent_map.centre) - ws[0])
            if latent_map.axes is not None:
                ws = self._along_axes(ws, torch.from_numpy(ways), latent_map)
            return ws[1:]

    def _along_axes(self, ws: Tensor, ways: Tensor, latent_map: LatentMap) -> Tensor:
        """Set the coordinates along two directions; `ws` and `ways` (`[N, 2]`) begin with the middle."""
        assert latent_map.axes is not None
        steps = torch.stack([self.directions.step(axis) for axis in latent_map.axes])  # [2, w_dim]
        deviations = steps.norm(dim=1)
        basis = steps / deviations[:, None]
        coordinates = (ws.mean(dim=1) - self.directions.mean) @ basis.T / deviations
        start = coordinates[:1].double()
        # A truncated map keeps as near to the mean along its axes as along everything else.
        limit = AXIS_LIMIT * abs(latent_map.truncation)
        wanted = start + torch.from_numpy(bounded(start.numpy(), ways.numpy(), limit))
        change = (wanted.float() - coordinates) * deviations
        moved: Tensor = ws + (change @ basis)[:, None]
        return moved

    def _ws(self, point: Point) -> Tensor:
        """`[num_ws, w_dim]`."""
        match point:
            case Seed():
                return self.ws_of_z(self._z(point), point.truncation)[0]
            case MapPlace():
                return self.map_ws(point.map, [point.tile])[0]
            case Vector():
                return self._values(point)
            case Mix():
                shares = self.bands.shares(coarse=point.coarse, middle=point.middle, fine=point.fine)
                return self._ws(point.first).lerp(self._ws(point.second), torch.from_numpy(shares)[:, None])
            case Moved():
                return self._moved(point)

    def _z(self, point: Point) -> Tensor:
        if isinstance(point, Seed):
            return latents([point.seed], self.generator.z_dim)
        if isinstance(point, MapPlace) and point.map.centre is None and point.map.axes is None:
            landscape = Landscape.of(point.map.seed, self.generator.z_dim)
            return torch.from_numpy(landscape.z(places_of(point.map, [point.tile])))
        raise ConfigError(
            "Only seeds, and places of a map without centre and axes, have a place in Z. Walk in W instead."
        )

    def _values(self, point: Vector) -> Tensor:
        num_ws, w_dim = self.generator.num_ws, len(self.generator.w_avg)
        if point.width != w_dim or point.rows not in {1, num_ws}:
            raise ModelError(
                f"This point is of another model: it has {point.rows} x {point.width} values, and this model "
                f"takes {num_ws} x {w_dim}. Open it with model {point.model[:12]}."
            )
        if point.model not in self._accepted:
            raise ModelError(
                f"This point is of another model, {point.model[:12]}, from which this one, "
                f"{self.generator.info.sha256[:12]}, was not made. Open the point with its own model."
            )
        return torch.from_numpy(point.values).expand(num_ws, -1)

    def _moved(self, point: Moved) -> Tensor:
        ws = self._ws(point.point).clone()
        for move in point.moves:
            last = self.generator.num_ws - 1 if move.last is None else move.last
            if max(move.first, last) >= self.generator.num_ws:
                raise ConfigError(
                    f"This model has {self.generator.num_ws} layers, numbered from 0; there is no layer "
                    f"{max(move.first, last)}. Choose other ones."
                )
            ws[move.first : last + 1] += move.strength * self.directions.step(move.direction)
        return ws


def render_tiles(
    space: LatentSpace,
    latent_map: LatentMap,
    tiles: Sequence[Tile],
    *,
    batch_size: int = 16,
    on_batch: Callable[[int, int], None] | None = None,
) -> UInt8Array:
    """The pictures of a map's tiles: uint8 `[N, H, W, 3]`. A tile is the same in any company, to rounding.

    `on_batch(done, total)` is called after each batch; an exception from it ends the work. Raises as
    `LatentSpace.ws` does.
    """
    return space.generator.images_of(
        space.map_ws(latent_map, tiles), batch_size=batch_size, on_batch=on_batch
    )


def slerp(first: Tensor, second: Tensor, share: Tensor | float) -> Tensor:
    """Along the great circle from `[..., D]` to `[..., D]`, lengths changing evenly (Shoemake 1985).

    `share` 0 gives `first`, 1 gives `second`, and the angle grows in proportion.
    """
    lengths = [each.norm(dim=-1, keepdim=True) for each in (first, second)]
    cosine = ((first / lengths[0]) * (second / lengths[1])).sum(dim=-1, keepdim=True).clamp(-1.0, 1.0)
    angle = cosine.acos()
    share = torch.as_tensor(share, dtype=first.dtype)
    length = lengths[0].lerp(lengths[1], share)
    sine = angle.sin()
    along = (
        torch.sin((1.0 - share) * angle) * first / lengths[0] + torch.sin(share * angle) * second / lengths[1]
    )
    # Nearly the same direction: the circle is a straight line there.
    straight = (first / lengths[0]).lerp(second / lengths[1], share)
    way: Tensor = length * torch.where(sine > 1e-4, along / sine.clamp(min=1e-4), straight)
    return way
