"""The JSON schema of a stack file, made from the settings, so that editors complete and check it."""

import json
import sys
from typing import Any

from stacks.settings import Settings

PROJECT = "flotilla"


def stack_file_schema() -> dict[str, Any]:
    """Schema of `Pulumi.<stack>.yaml`: each section of the settings under `config` as `flotilla:<section>`."""
    settings = Settings.model_json_schema()
    sections = settings.pop("properties")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack file of Flotilla",
        "type": "object",
        "properties": {
            "encryptionsalt": {"type": "string"},
            "secretsprovider": {"type": "string"},
            "config": {
                "type": "object",
                "properties": {f"{PROJECT}:{name}": section for name, section in sections.items()},
                "patternProperties": {f"^(?!{PROJECT}:)": {}},
                "additionalProperties": False,
            },
        },
        "additionalProperties": False,
        "$defs": settings.get("$defs", {}),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(stack_file_schema(), indent=2) + "\n")
