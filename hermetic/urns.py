"""Names of the engine's world: URNs of resources and references to provider instances, taken apart and put together."""

ROOT_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"


def make_urn(*, stack: str, project: str, parent: str, type_token: str, name: str) -> str:
    """The URN of a resource; its qualified type carries the types of its parents, except the stack's own."""
    return f"urn:pulumi:{stack}::{project}::{qualify(parent, type_token)}::{name}"


def qualify(parent: str, type_token: str) -> str:
    """The qualified type of a child of `parent` (a URN, or empty)."""
    above = qualified_type(parent) if parent else ""
    return f"{above}${type_token}" if above and above != ROOT_TYPE else type_token


def qualified_type(urn: str) -> str:
    """The third part of a URN: types from the outermost parent down, joined by `$`."""
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    """The type of the resource itself."""
    return qualified_type(urn).rsplit("$", 1)[-1]


def name_of(urn: str) -> str:
    """The logical name."""
    return urn.split("::", 3)[3]


def package_of(token: str) -> str:
    """The package of a type or function token: `docker` of `docker:index/service:Service`."""
    return token.split(":", 1)[0]


def is_provider_type(token: str) -> bool:
    """Whether a resource of this type is an instance of a provider."""
    return token.startswith(PROVIDER_PREFIX)


def provided_package(provider_type: str) -> str:
    """The package that a provider resource serves."""
    return provider_type.removeprefix(PROVIDER_PREFIX)


def is_default_provider(urn: str) -> bool:
    """Whether the engine made this provider by itself, for resources without an explicit one."""
    if not is_provider_type(type_of(urn)):
        return False
    name = name_of(urn)
    return name == "default" or name.startswith("default_")


def make_reference(urn: str, identity: str) -> str:
    """What a resource's `provider` field holds: URN and id of the provider instance."""
    return f"{urn}::{identity}"


def split_reference(reference: str) -> tuple[str, str]:
    """URN and id of a provider reference."""
    urn, _, identity = reference.rpartition("::")
    return urn, identity
