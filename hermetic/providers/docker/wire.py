"""Calls of the Engine API that the docker SDK cannot make in full: its own session and error handling, our bodies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import docker


def post(
    client: docker.APIClient,
    path: str,
    body: Mapping[str, Any],
    parameters: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """POST a JSON body to an API path; the decoded answer. APIError when the daemon refuses."""
    session: Any = client  # the SDK's request methods are its own, but stable since its first release
    response = session._post_json(session._url(path), data=body, params=parameters, headers=dict(headers or {}))
    session._raise_for_status(response)
    return response.json() if response.content else None


def follow(
    client: docker.APIClient, path: str, parameters: Mapping[str, Any], headers: Mapping[str, str], timeout: float
) -> Iterator[dict[str, Any]]:
    """POST to an API path that answers with a stream of JSON objects, one step of its work each."""
    session: Any = client
    response = session._post(session._url(path), params=parameters, headers=headers, stream=True, timeout=timeout)
    session._raise_for_status(response)
    return session._stream_helper(response, decode=True)


def task_log(client: docker.APIClient, task: str, lines: int) -> str:
    """The last lines that a task wrote, wherever it ran; the API frames them, a header of eight bytes before each."""
    session: Any = client
    parameters = {"stdout": 1, "stderr": 1, "tail": lines}
    response = session._get(session._url("/tasks/{0}/logs", task), params=parameters, timeout=10)
    session._raise_for_status(response)
    content: bytes = response.content
    text = bytearray()
    while len(content) >= 8:
        size = int.from_bytes(content[4:8], "big")
        text += content[8 : 8 + size]
        content = content[8 + size :]
    return text.decode(errors="replace").strip()
