"""How large a pool of workers is, in a module of its own: the cloud and the pool both speak of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Workers that join by themselves: `count` of them, never more than `maximum`; one that is to go has
    `drain_seconds` to give up its tasks. `labels` are the node labels of each."""

    count: int
    maximum: int
    drain_seconds: int
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
