"""From Pulumi's configuration and the project's files to checked values: the only place that reads either."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, get_config_secret_keys_env, is_config_secret
from pydantic import BaseModel, ConfigDict, ValidationError

from components.clouds.cloud import Image
from components.clouds.local.cloud import LocalImages
from images.recipe import SERVICES
from stacks.composed import Composed, check_image_names, load_composed
from stacks.errors import SettingsError, describe
from stacks.plan import built_images
from stacks.products.catalogue import wanted_products
from stacks.settings import Settings

Content = TypeVar("Content", bound=BaseModel)

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
WORK_FOLDER = ".flotilla"
LARGEST_SOURCE = 500 * 1024


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Everything that a stack is made of, read once. `images` and `capabilities` are the local cloud's; on the others
    `service_images` are in the registry of the settings, whose authority's PEM is `registry_authority`. `sources` are
    the project's own files that products hand over to tasks, by name."""

    stack: str
    settings: Settings
    ssh_public_key: str
    identity_file: str
    images: LocalImages | None = None
    capabilities: tuple[str, ...] = ()
    service_images: Mapping[str, Image] = field(default_factory=dict[str, Image])
    registry_authority: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    composed: tuple[Composed, ...] = ()


class _BuiltImage(BaseModel):
    model_config = ConfigDict(frozen=True)
    digest: str


class _BuiltSet(BaseModel):
    """What was built for stacks whose products run these service images."""

    model_config = ConfigDict(frozen=True)
    machine: str
    registry: str
    haproxy: str
    services: dict[str, _BuiltImage]


class _BuiltImages(BaseModel):
    """`.flotilla/images.json`, as `make images` writes it: a set for each set of service images."""

    model_config = ConfigDict(frozen=True)
    sets: dict[str, _BuiltSet]


class _Host(BaseModel):
    """`.flotilla/host.json`, as `make images` writes it: what the Docker host allows and is."""

    model_config = ConfigDict(frozen=True)
    capabilities: tuple[str, ...]
    architecture: str


def load(stack: str, folder: Path = PROJECT_FOLDER) -> Inputs:
    """Settings and files of the stack; SettingsError in one line when something is missing or wrong."""
    settings = read_settings()
    _check_sealed(settings)
    identity_file = folder / settings.ssh.identity_file
    inputs = Inputs(
        stack=stack,
        settings=settings,
        ssh_public_key=_public_key(identity_file, settings.ssh.identity_file),
        identity_file=str(identity_file),
        sources=_sources(folder, settings),
        composed=load_composed(settings, folder),
    )
    check_image_names(inputs.composed, (*SERVICES, *settings.images))
    if settings.cloud == "local":
        host = _read(folder, "host.json", _Host)
        return replace(inputs, images=_images(stack, folder, settings, host), capabilities=host.capabilities)
    return replace(
        inputs,
        service_images=_pushed_images(stack, folder, settings, preview=pulumi.runtime.is_dry_run()),
        registry_authority=_authority(folder, settings),
    )


def stack_file(stack: str, folder: Path = PROJECT_FOLDER) -> Path:
    """`Pulumi.<stack>.yaml`; SettingsError names those that there are."""
    path = folder / f"Pulumi.{stack}.yaml"
    if path.exists():
        return path
    known = sorted(other.stem.removeprefix("Pulumi.") for other in folder.glob("Pulumi.*.yaml"))
    raise SettingsError(
        f"STACK is '{stack}': there is no {path.name}; use one of {', '.join(known)}, or write that file"
    )


def read_settings() -> Settings:
    """The settings among Pulumi's configuration, which holds one key `flotilla:<section>` for each section."""
    prefix = f"{pulumi.get_project()}:"
    everything = get_config_env() | CONFIG.get()
    raw = {key.removeprefix(prefix): _parsed(value) for key, value in everything.items() if key.startswith(prefix)}
    return parse_settings(raw)


def parse_settings(raw: dict[str, Any]) -> Settings:
    """Settings from plain values; SettingsError with one line for each thing that is wrong."""
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(describe(error)) from None


def _check_sealed(settings: Settings) -> None:
    """A secret that stands in the stack file as it is, is none."""
    key = f"{pulumi.get_project()}:compose"
    for name, compose in settings.compose.items():
        if compose.secrets and not is_config_secret(key) and key not in get_config_secret_keys_env():
            raise SettingsError(
                f"compose.{name}.secrets has values in plain text: set each with "
                f"`config set --secret --path 'compose.{name}.secrets.{min(compose.secrets)}'`"
            )


def _parsed(value: str) -> Any:
    """Pulumi hands structured values over as JSON and plain ones as text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _read(folder: Path, name: str, kind: type[Content]) -> Content:
    path = folder / WORK_FOLDER / name
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise SettingsError(f"{WORK_FOLDER}/{name} is missing: no images were built yet; run `make images`") from None
    except ValidationError:
        raise SettingsError(
            f"{WORK_FOLDER}/{name} is damaged: it is no JSON or has other fields; run `make images` again"
        ) from None


def _public_key(identity_file: Path, setting: str) -> str:
    path = identity_file.with_name(identity_file.name + ".pub")
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        raise SettingsError(
            f"ssh.identity_file is {setting}: there is no public key {path.name} beside it; "
            "run `make identity`, or name a key pair that exists"
        ) from None


def _built_set(stack: str, folder: Path, settings: Settings) -> _BuiltSet:
    names = built_images(settings)
    for found in _read(folder, "images.json", _BuiltImages).sets.values():
        if sorted(found.services) == sorted(names):
            return found
    raise SettingsError(
        f"{WORK_FOLDER}/images.json has no set {', '.join(names) or 'without services'}: these images were not built "
        f"yet; run `make images STACK={stack}`"
    )


def _pushed_images(stack: str, folder: Path, settings: Settings, *, preview: bool) -> dict[str, Image]:
    """The built images as the registry of the settings has them.

    A preview before anything was built does not know their digests, and says so; an update needs them.
    """
    names = built_images(settings)
    digests: dict[str, str] = {}
    if names and not (preview and not (folder / WORK_FOLDER / "images.json").exists()):
        built = _built_set(stack, folder, settings)
        digests = {name: image.digest for name, image in built.services.items()}
    architecture = settings.aws.image.architecture if settings.cloud == "aws" else "amd64"
    return {
        name: Image(repository=name, digest=digests.get(name), architecture=architecture)
        for name in {*names, *settings.images}
    }


def _sources(folder: Path, settings: Settings) -> dict[str, str]:
    sources: dict[str, str] = {}
    for product in wanted_products(settings):
        for setting, name in product.files(settings).items():
            sources[name] = _source(folder, setting, name)
    return sources


def _source(folder: Path, setting: str, name: str) -> str:
    reason = ""
    try:
        text = (folder / name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "no text") or "it cannot be read"
        raise SettingsError(
            f"{setting} is '{name}': {reason}; name a text file, relative to the project folder"
        ) from None
    if len(text.encode()) > LARGEST_SOURCE:
        raise SettingsError(
            f"{setting} is '{name}': more than the {LARGEST_SOURCE} bytes of a Docker config; put it on the volume"
        )
    return text


def _authority(folder: Path, settings: Settings) -> str | None:
    name = settings.registry.authority_file
    if name is None:
        return None
    try:
        return (folder / name).read_text()
    except OSError as error:
        raise SettingsError(
            f"registry.authority_file is '{name}': {error.strerror}; name a PEM file, relative to the project folder"
        ) from None


def _images(stack: str, folder: Path, settings: Settings, host: _Host) -> LocalImages:
    built = _built_set(stack, folder, settings)
    return LocalImages(
        machine=built.machine,
        registry=built.registry,
        haproxy=built.haproxy,
        services={
            name: Image(repository=name, digest=image.digest, architecture=host.architecture)
            for name, image in built.services.items()
        },
    )
