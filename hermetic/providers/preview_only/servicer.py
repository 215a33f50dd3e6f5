"""The gRPC side of a stand-in that only previews: resources are compared by inputs, functions answered from records."""

from __future__ import annotations

from importlib import metadata

import grpc
from pulumi.runtime.proto import provider_pb2

from hermetic.providers import diff
from hermetic.providers.check import Values, failures
from hermetic.providers.driver import Package, Warn
from hermetic.providers.preview_only.inputs import decoded, given, previewed, without_examples
from hermetic.providers.preview_only.recorded import answers, replacements
from hermetic.providers.preview_only.sdk_types import SdkTypes
from hermetic.providers.rules import Rules
from hermetic.providers.servicer import Servicer, answered
from hermetic.providers.shapes import ResourceShape, provider_shape
from hermetic.values import UNKNOWN, from_struct, strip_secrets, to_struct


class PreviewServicer(Servicer):
    """One provider instance without a cloud behind it."""

    def __init__(self, name: str, warn: Warn) -> None:
        self._configuration: Values = {}
        self._replacements = replacements(name)
        self._answers = answers(name)
        self._warn = warn
        package = Package(
            name=name,
            version=metadata.version(f"pulumi-{name}"),
            resources=SdkTypes(name),
            check_configuration=self._refusals,
            configure=self._configuration.update,
            probe=_nothing,
            close=_nothing,
        )
        super().__init__(package)

    def Invoke(  # noqa: N802
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        arguments = {name: value for name, value in from_struct(request.args).items() if value is not None}
        found = answered(context, lambda: self._answers.to(request.tok, strip_secrets(arguments), self._configuration))
        self._warn(found.warning)
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(to_struct(found.result))  # a keyword of Python
        return response

    def difference(self, rules: Rules, shape: ResourceShape, request: provider_pb2.DiffRequest) -> diff.Difference:
        """What the program changed: the object itself cannot be looked at."""
        before = request.old_inputs if request.HasField("old_inputs") else request.olds
        old = given(strip_secrets(from_struct(before)))
        news = from_struct(request.news)
        new = without_examples(given(strip_secrets(news)), old, self._answers.examples)
        parts, ignored = shape.inputs.fields, list(request.ignoreChanges)
        found = diff.compared(rules, parts, old, new, news, ignored)
        rules = self._replacements.rules_for(rules, new, found.changes)
        found = diff.compared(rules, parts, old, new, news, ignored)
        if found.changes and rules.resource_type not in self._replacements.types:
            kind = rules.resource_type
            self._warn(f"what replaces an object of type {kind} is not recorded: the change is shown as an update")
        return found

    def planned(self, rules: Rules, shape: ResourceShape, inputs: Values, old: Values | None = None) -> Values:
        """What is given, what was there before, and for the rest that it is not known."""
        del rules
        return previewed(shape.outputs, inputs, UNKNOWN if old is None else old)

    def _refusals(self, configuration: Values) -> list[str]:
        """What the provider's configuration is refused for; the engine's own keys are not looked at."""
        name = self.package.name
        shape, rules = provider_shape(name), Rules(resource_type=f"pulumi:providers:{name}", autoname=False)
        known = {key: part for key, part in configuration.items() if key not in ("version", "__internal")}
        return failures(rules, shape, name, decoded(shape, known))


def _nothing() -> None:
    """Neither a cloud to ask nor a connection to close."""
