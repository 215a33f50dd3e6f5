"""What the proxy before a Docker Engine is told to let through."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.plan.errors import PlanError
from components.services.engine_filter import SWARM_PATHS, Access, check_paths, render


def allowed(text: str, path: str) -> bool:
    """Whether any of the configuration's expressions matches."""
    return any(re.search(found, path) for found in re.findall(r"acl allowed path_reg '(.+)'", text))


def test_what_is_named_passes_with_and_without_a_version() -> None:
    text = render(SWARM_PATHS)
    for path in ("/_ping", "/nodes", "/v1.41/nodes", "/services/web", "/v1.41/tasks/x3k9", "/networks/blog_net.2"):
        assert allowed(text, path), path


@pytest.mark.parametrize(
    "path",
    [
        *("/swarm", "//swarm", "/v1.41/swarm", "/nodes/../swarm", "/nodes/..", "/v1.41/../swarm", "/%73warm"),
        *("/nodes/%2e%2e", "/nodes/", "/nodes//", "/secrets", "/configs/x", "/services/web/logs", "/nodes#/swarm"),
        *("/containers/json", "/v1/nodes", "/x/nodes", "nodes", "/NODES", "/nodes;/swarm", "/"),
    ],
)
def test_what_is_not_named_does_not_pass(path: str) -> None:
    assert not allowed(render(SWARM_PATHS), path)


@given(st.text(alphabet="/.%aenodsw1v2f{}", max_size=24))
def test_no_path_that_goes_up_or_hides_a_letter_ever_passes(path: str) -> None:
    if allowed(render(SWARM_PATHS), path):
        assert not {"", ".", ".."} & set(path.split("/")[1:])
        assert "%" not in path


def test_the_ping_of_the_health_check_passes_whatever_is_named() -> None:
    assert allowed(render(("/events",)), "/_ping")


def test_the_order_of_the_paths_changes_nothing() -> None:
    assert render(SWARM_PATHS) == render(tuple(reversed(SWARM_PATHS)))


def test_a_reader_has_no_method_that_changes_anything_and_sends_no_body() -> None:
    text = render(SWARM_PATHS)
    assert "acl method_fits method GET HEAD\n" in text
    assert "deny_status 403 if { req.hdr(content-length) -m found }" in text


def test_a_writer_may_change_what_is_named() -> None:
    text = render(("/services/{id}/update",), "write")
    assert "acl method_fits method GET HEAD POST PUT DELETE\n" in text
    assert "content-length" not in text


NO_PATH = "this is no path of the Engine's API; write it as in /containers/{id}/json"


@pytest.mark.parametrize(
    ("path", "access", "reason"),
    [
        ("nodes", "read", NO_PATH),
        ("/nodes/.*", "read", NO_PATH),
        ("/x'\n", "read", NO_PATH),
        ("/swarm", "write", "it answers with the tokens that let machines join; leave it out"),
        ("/containers/{id}/exec", "write", "it runs commands in containers; leave it out"),
        ("/containers/{id}/archive", "read", "it reads files of containers; leave it out"),
        ("/images/{id}/get", "read", "it copies images; leave it out"),
        ("/secrets", "read", "a reader has no use for it; leave it out"),
        ("/configs", "read", "it answers with their content, which may be private; leave it out"),
    ],
)
def test_a_path_that_nobody_may_have_is_refused(path: str, access: Access, reason: str) -> None:
    with pytest.raises(PlanError) as caught:
        check_paths(("/nodes", path), access, field="paths")
    assert str(caught.value) == f"paths is {path!r}: {reason}"


def test_a_writer_may_name_secrets_which_never_tell_their_content() -> None:
    check_paths(("/secrets", "/secrets/create", "/configs"), "write", field="paths")
