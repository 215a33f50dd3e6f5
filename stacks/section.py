"""What all settings are made of: sections that refuse what they do not know, and the types of single values."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema

from components.plan.addresses import parse_network
from components.plan.durations import shortest
from components.plan.sizes import parse_size
from stacks import patterns

ANYWHERE = "anywhere"
"""The whole internet, in the one word that says so."""

Port = Annotated[int, Field(ge=1, le=65535)]
Replicas = Annotated[int, Field(ge=0, le=10_000)]


def _network(text: str) -> str:
    """A CIDR without host bits, as written (`10.60.0.0/24`)."""
    parse_network(text, field="")
    return text


def _admin_network(text: str) -> str:
    """A CIDR that is not everything: whoever means that says so in a word."""
    if text == ANYWHERE:
        return text
    if text in ("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1"):
        raise ValueError("that is the whole internet, or half of it; name your networks, or write anywhere, if meant")
    return _network(text)


def _size(text: str) -> str:
    parse_size(text, field="")
    return text


def _duration(text: str) -> str:
    return shortest(text, field="")


def _sealed(value: Any) -> Any:
    """In the stack file itself the value is encrypted; the engine hands it over in plain."""
    return value["secure"] if isinstance(value, dict) and set(value) == {"secure"} else value


Cidr = Annotated[str, AfterValidator(_network)]
AdminCidr = Annotated[str, AfterValidator(_admin_network)]
Size = Annotated[str, AfterValidator(_size), Field(examples=["512m", "2g"])]
Duration = Annotated[str, AfterValidator(_duration), Field(examples=["10s", "2160h"])]
NodeName = Annotated[str, Field(pattern=patterns.NODE_NAME)]
ImageReference = Annotated[str, Field(pattern=patterns.IMAGE_BY_DIGEST)]
VolumeName = Annotated[str, Field(pattern=patterns.VOLUME_NAME)]
SecretText = Annotated[
    SecretStr,
    BeforeValidator(_sealed),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {"secure": {"type": "string"}},
            "required": ["secure"],
            "additionalProperties": False,
        }
    ),
]
"""A value that the stack file has encrypted."""
Labels = dict[str, str]


class Section(BaseModel):
    """A part of the settings: frozen, and a key that it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)
