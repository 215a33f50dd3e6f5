"""The stand-in for the random provider plugin, on the operating system's generator."""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Callable

import bcrypt

from hermetic.providers.check import Values
from hermetic.providers.driver import Driver, Operation, Package, ProviderError
from hermetic.providers.rules import Rules, at_least, paths

_VERSION = "4.21.4"
_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_NAMES = ("badger", "bison", "crane", "deer", "falcon", "heron", "ibex", "lynx", "marten", "otter", "raven", "wren")
_ADJECTIVES = ("able", "bold", "brisk", "calm", "clever", "fair", "keen", "kind", "merry", "noble", "proud", "quick")
_ADVERBS = ("boldly", "calmly", "clearly", "fairly", "firmly", "gently", "gladly", "kindly", "nicely", "openly")

_CHARACTERS = "lower upper numeric special minLower minUpper minNumeric minSpecial number"


class TextDriver(Driver):
    """`random.RandomPassword` and `random.RandomString`, which differ in their id and the password's hash."""

    def __init__(self, *, password: bool) -> None:
        self._password = password

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        del operation
        state = planned | {name: planned[name] is not False for name in ("lower", "upper", "special")}
        state["numeric"] = state["number"] = planned["numeric"] is not False and planned["number"] is not False
        state |= {name: planned[name] or 0 for name in ("minLower", "minUpper", "minNumeric", "minSpecial")}
        state["result"] = random_text(state)
        if not self._password:
            return state["result"], state
        state["bcryptHash"] = bcrypt.hashpw(state["result"].encode()[:72], bcrypt.gensalt(10)).decode()
        return "none", state

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation, identity
        return state

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        """Nothing exists outside the state."""


def random_text(state: Values) -> str:
    """Characters of the chosen classes, the required number of each, in an order that tells nothing."""
    special = state["overrideSpecial"] or _SPECIAL
    classes = [
        ("lower", string.ascii_lowercase, state["minLower"]),
        ("upper", string.ascii_uppercase, state["minUpper"]),
        ("numeric", string.digits, state["minNumeric"]),
        ("special", special, state["minSpecial"]),
    ]
    alphabet = "".join(characters for name, characters, _ in classes if state[name])
    required = [secrets.choice(characters) for _, characters, count in classes for _ in range(count)]
    if len(required) > state["length"]:
        message = f"length is {state['length']}, less than the {len(required)} characters that the minimums ask for"
        raise ProviderError(message)
    if not alphabet:
        raise ProviderError("lower, upper, numeric and special are all false: at least one of them must be true")
    drawn = required + [secrets.choice(alphabet) for _ in range(state["length"] - len(required))]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)


class IdDriver(Driver):
    """`random.RandomId`."""

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        del operation
        drawn = secrets.token_bytes(planned["byteLength"])
        prefix = planned["prefix"] or ""
        identity = base64.urlsafe_b64encode(drawn).decode().rstrip("=")
        return identity, planned | {
            "b64Url": prefix + identity,
            "b64Std": prefix + base64.b64encode(drawn).decode(),
            "hex": prefix + drawn.hex(),
            "dec": prefix + str(int.from_bytes(drawn, "big")),
        }

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation, identity
        return state

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        """Nothing exists outside the state."""


class PetDriver(Driver):
    """`random.RandomPet`: adverbs, an adjective and an animal."""

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        del operation
        count = planned["length"] or 2
        separator = "-" if planned["separator"] is None else planned["separator"]
        kinds = (_ADVERBS,) * max(0, count - 2) + (_ADJECTIVES,) * (count > 1) + (_NAMES,)
        words = [secrets.choice(kind) for kind in kinds]
        name = separator.join([planned["prefix"], *words] if planned["prefix"] else words)
        return name, planned | {"length": count, "separator": separator}

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation, identity
        return state

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        """Nothing exists outside the state."""


def random_package() -> Package:
    """All inputs replace; what was drawn stays in the state."""
    resources: tuple[tuple[Rules, Driver], ...] = (
        (_text_rules("Password", "bcryptHash result"), TextDriver(password=True)),
        (_text_rules("String", ""), TextDriver(password=False)),
        (_rules("Id", "b64Std b64Url dec hex", byteLength=1), IdDriver()),
        (_rules("Pet", "length separator", length=1), PetDriver()),
    )
    return Package(
        name="random",
        version=_VERSION,
        resources={rules.resource_type: (rules, driver) for rules, driver in resources},
        check_configuration=lambda configuration: [],  # noqa: ARG005  it has none
        configure=lambda configuration: None,  # noqa: ARG005
        probe=_nothing,
        close=_nothing,
    )


def _text_rules(name: str, secret_outputs: str) -> Rules:
    computed = f"{_CHARACTERS} result bcryptHash"
    minimums: dict[str, Callable[[object], str | None]] = {"length": at_least(1)}
    return Rules(
        resource_type=f"random:index/random{name}:Random{name}",
        autoname=False,
        computed=paths(computed),
        validations=minimums,
        secret_outputs=paths(secret_outputs),
    )


def _rules(name: str, computed: str, **minimums: int) -> Rules:
    return Rules(
        resource_type=f"random:index/random{name}:Random{name}",
        autoname=False,
        computed=paths(computed),
        validations={field: at_least(threshold) for field, threshold in minimums.items()},
    )


def _nothing() -> None:
    """Neither a daemon to ask nor a connection to close."""
