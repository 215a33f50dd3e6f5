"""Passwords that the stack makes: long, of letters and digits, secrets of the state from the start (E15)."""

from collections.abc import Mapping

import pulumi_random as random

from components.component import Component

LENGTH = 32


class Passwords:
    """Makes the passwords of a component, as its children by one provider."""

    def __init__(self, owner: Component) -> None:
        self._owner = owner
        self._provider = random.Provider(owner.child_name("random"), opts=owner.child())

    def make(
        self, *key: str, keepers: Mapping[str, str] | None = None, secret_outputs: tuple[str, ...] = ()
    ) -> random.RandomPassword:
        """The password of a key, whose `result` is a secret; other `keepers` are another password. `secret_outputs` are
        those that hold it in another form."""
        return random.RandomPassword(
            self._owner.child_name(*key),
            length=LENGTH,
            special=False,
            keepers=keepers,
            opts=self._owner.child(
                provider=self._provider, additional_secret_outputs=list(secret_outputs) if secret_outputs else None
            ),
        )
