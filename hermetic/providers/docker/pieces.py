"""Small translations between the plugin's properties and the Engine API's, shared by several resource types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hermetic.providers import durations
from hermetic.providers.plan import in_set_order


def label_map(labels: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    return {label["label"]: label["value"] for label in labels or ()}


def label_set(labels: Mapping[str, str] | None) -> list[dict[str, str]]:
    return in_set_order([{"label": key, "value": value} for key, value in (labels or {}).items()])


def given(**values: Any) -> dict[str, Any]:
    """The values that are not absent; the API takes an absent key for its default."""
    return {key: value for key, value in values.items() if value is not None}


def length(text: str | None) -> int | None:
    """A duration in the API's nanoseconds."""
    return durations.nanoseconds(text) if text else None


def mount_spec(mount: Mapping[str, Any]) -> dict[str, Any]:
    """A mount of a container or service in the API's form."""
    bind, volume, tmpfs = mount.get("bindOptions"), mount.get("volumeOptions"), mount.get("tmpfsOptions")
    return given(
        Target=mount["target"],
        Source=mount.get("source") or None,
        Type=mount["type"],
        ReadOnly=mount.get("readOnly") or None,
        BindOptions=given(Propagation=bind.get("propagation") or None) if bind else None,
        VolumeOptions=_volume_options(volume) if volume else None,
        TmpfsOptions=given(SizeBytes=tmpfs.get("sizeBytes") or None, Mode=tmpfs.get("mode") or None) if tmpfs else None,
    )


def _volume_options(volume: Mapping[str, Any]) -> dict[str, Any]:
    driver = given(Name=volume.get("driverName") or None, Options=volume.get("driverOptions") or None)
    return given(
        NoCopy=volume.get("noCopy") or None,
        Labels=label_map(volume.get("labels")) or None,
        DriverConfig=driver or None,
        Subpath=volume.get("subpath") or None,
    )


def mount_state(mount: Mapping[str, Any]) -> dict[str, Any]:
    """A mount of the API in the plugin's form."""
    bind, volume, tmpfs = mount.get("BindOptions"), mount.get("VolumeOptions"), mount.get("TmpfsOptions")
    driver = (volume or {}).get("DriverConfig") or {}
    return {
        "target": mount.get("Target", ""),
        "source": mount.get("Source", ""),
        "type": mount.get("Type", ""),
        "readOnly": mount.get("ReadOnly", False),
        "bindOptions": {"propagation": bind.get("Propagation", "")} if bind else None,
        "volumeOptions": {
            "noCopy": volume.get("NoCopy", False),
            "labels": label_set(volume.get("Labels")),
            "driverName": driver.get("Name", ""),
            "driverOptions": driver.get("Options"),
            **given(subpath=volume.get("Subpath")),
        }
        if volume
        else None,
        "tmpfsOptions": {"sizeBytes": tmpfs.get("SizeBytes", 0), "mode": tmpfs.get("Mode", 0)} if tmpfs else None,
    }
