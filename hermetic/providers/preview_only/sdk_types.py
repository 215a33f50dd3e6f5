"""The resource types of a stand-in that only previews: all that the installed SDK has, none of which it can change."""

# ruff: noqa: ARG002  the parameters are those that every driver has

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hermetic.providers.check import Values
from hermetic.providers.driver import Driver, Operation, ProviderError
from hermetic.providers.preview_only.recorded import CLI, replacements
from hermetic.providers.rules import Rules
from hermetic.providers.shapes import resource_shape


class SdkTypes(Mapping[str, tuple[Rules, Driver]]):
    """Types by token, looked up when they are asked for: there are too many to list, so that iteration gives none."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._driver = _Refusing(package)

    def __getitem__(self, token: str) -> tuple[Rules, Driver]:
        try:
            resource_shape(token)
        except LookupError as error:
            raise KeyError(token) from error
        return replacements(self._package).rules(token), self._driver

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class _Refusing(Driver):
    """Stands where others reach for the object; the engine refuses such commands before it comes to this."""

    def __init__(self, package: str) -> None:
        self._package = package

    def _refusal(self, operation: Operation, what: str) -> ProviderError:
        return ProviderError(
            f"{operation.urn.rpartition('::')[2]} cannot be {what}: this engine has no plugin for {self._package} and "
            f"only previews it; use the Pulumi CLI ({CLI})"
        )

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        raise self._refusal(operation, "created")

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        raise self._refusal(operation, "read")

    def update(self, operation: Operation, identity: str, old: Values, planned: Values) -> Values:
        raise self._refusal(operation, "updated")

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        raise self._refusal(operation, "deleted")
