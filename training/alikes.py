"""Which pictures of a dataset are nearly alike: found as pictures come, one group for all that hang together.

A job that adds pictures reads the prints of those that are there once, a quarter second for 10,000, and then
only what others have added meanwhile. Each picture costs one product with the prints and, where it is like
another, two statements. When pictures go, what is left of their groups is compared anew.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from itertools import islice
from uuid import UUID, uuid4

import numpy as np
from django.db.models import Count, Max, Q

from engines.images import UInt8Array
from engines.likeness import PRINT_SIDE, LikenessIndex
from training.models import Dataset, DatasetImage, PicturePrint

_SHAPE = (PRINT_SIDE, PRINT_SIDE, 3)
_CHUNK = 1000
# A larger group than this stays whole when it loses a picture: comparing it anew could take many seconds.
_REGROUPED = 200
# By how much the clocks of two workers may differ.
_SKEW = timedelta(seconds=10)


class Alikes:
    """The prints of one dataset in the hands of one job."""

    def __init__(self) -> None:
        self._index = LikenessIndex()
        self._ids: list[UUID] = []
        self._known: set[UUID] = set()
        self._rev = -1  # of no dataset: the first picture has all prints read

    def join(self, dataset: Dataset, images: Sequence[DatasetImage]) -> None:
        """Set the groups of pictures that are about to be inserted, and join the groups that they link.

        Each has its `print` set. The dataset's row is locked. A picture that was removed since its print was
        read links nothing.
        """
        self._catch_up(dataset)
        pairs = self._index.add(np.stack([_pixels(image.print.pixels) for image in images]))
        self._remember(image.pk for image in images)
        self._rev += len(images)
        if not pairs:
            return
        added = {image.pk: image for image in images}
        earlier = {self._ids[pair.first] for pair in pairs} - added.keys()
        group_of: dict[UUID, UUID | None] = dict(
            dataset.images.filter(pk__in=earlier).values_list("pk", "likeness_group")
        )
        group_of |= dict.fromkeys(added)
        links = [(self._ids[pair.first], self._ids[pair.second]) for pair in pairs]
        for members in _connected(link for link in links if link[0] in group_of):
            _make_one(dataset, members, group_of, added)

    def _catch_up(self, dataset: Dataset) -> None:
        """Read the prints that this job has not read: all at first, later what other jobs have added."""
        rev = dataset.tallies.get("rev", 0)
        if rev == self._rev:
            return
        self._rev = rev
        prints = PicturePrint.objects.filter(image__dataset=dataset)
        if self._ids:
            prints = prints.filter(pk__in=self._unread(dataset))
        found = prints.values_list("pk", "pixels").iterator(chunk_size=_CHUNK)
        while rows := list(islice(found, _CHUNK)):
            self._index.take_in(np.stack([_pixels(pixels) for _pk, pixels in rows]))
            self._remember(pk for pk, _pixels in rows)

    def _unread(self, dataset: Dataset) -> list[UUID]:
        """The pictures that others have added since the newest that this job knows."""
        pictures = dataset.images.order_by()
        newest = pictures.filter(pk__in=self._ids[-_CHUNK:]).aggregate(at=Max("created_at"))["at"]
        if newest is not None:
            pictures = pictures.filter(created_at__gte=newest - _SKEW)
        return [pk for pk in pictures.values_list("pk", flat=True) if pk not in self._known]

    def _remember(self, added: Iterable[UUID]) -> None:
        new = list(added)
        self._ids += new
        self._known.update(new)


def regroup(dataset: Dataset, groups: Collection[UUID]) -> None:
    """Group anew what is left of groups that lost pictures: some were alike only through those that went.

    The dataset's row is locked. The first part of a group keeps its id, a picture that is alone has none. At
    most three queries, and an UPDATE for each part that comes off. Groups of more than 200 pictures stay.
    """
    left = dataset.images.filter(likeness_group__in=groups).order_by()
    sizes = left.values_list("likeness_group").annotate(count=Count("pk"))
    single = [group for group, count in sizes if count == 1]
    small = [group for group, count in sizes if 1 < count <= _REGROUPED]
    prints = PicturePrint.objects.filter(image__dataset=dataset, image__likeness_group__in=small)
    members: dict[UUID | None, list[tuple[UUID, bytes | memoryview]]] = defaultdict(list)
    for group, pk, pixels in prints.order_by("pk").values_list("image__likeness_group", "pk", "pixels"):
        members[group].append((pk, pixels))
    alone = list(left.filter(likeness_group__in=single).values_list("pk", flat=True)) if single else []
    for pictures in members.values():
        index = LikenessIndex(np.stack([_pixels(pixels) for _pk, pixels in pictures]))
        parts = [[pictures[place][0] for place in part] for part in index.parts()]
        alone += [part[0] for part in parts if len(part) == 1]
        for part in [part for part in parts if len(part) > 1][1:]:
            dataset.images.filter(pk__in=part).update(likeness_group=uuid4())
    if alone:
        dataset.images.filter(pk__in=alone).update(likeness_group=None)


def _pixels(stored: bytes | memoryview) -> UInt8Array:
    return np.frombuffer(stored, np.uint8).reshape(_SHAPE)


def _connected(links: Iterable[tuple[UUID, UUID]]) -> Iterable[set[UUID]]:
    """The pictures that hang together by links, directly or through others: union-find, path halving."""
    above: dict[UUID, UUID] = {}

    def root(pk: UUID) -> UUID:
        while above.setdefault(pk, pk) != pk:
            above[pk] = above[above[pk]]
            pk = above[pk]
        return pk

    for one, other in links:
        above[root(one)] = root(other)
    sets: dict[UUID, set[UUID]] = defaultdict(set)
    for pk in list(above):
        sets[root(pk)].add(pk)
    return sets.values()


def _make_one(
    dataset: Dataset,
    members: set[UUID],
    group_of: dict[UUID, UUID | None],
    added: dict[UUID, DatasetImage],
) -> None:
    """Bring the members, and whoever shares a group with one of them, into one group. At most one UPDATE."""
    groups = {group for group in (group_of[pk] for pk in members) if group is not None}
    kept = min(groups, default=uuid4())
    for pk in members & added.keys():
        added[pk].likeness_group = kept
    alone = {pk for pk in members - added.keys() if group_of[pk] is None}
    if alone or len(groups) > 1:
        moved = Q(pk__in=alone) | Q(likeness_group__in=groups - {kept})
        dataset.images.filter(moved).update(likeness_group=kept)
