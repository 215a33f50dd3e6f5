"""HAProxy's configuration says what the graph says."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from components.services.haproxy import Frontend, render, slots

WEB = Frontend(name="web", port=8080, backend="nodes", backend_port=8080, expected=5, health_path="/healthz")
BLOG = Frontend(name="blog", port=8081, backend="nodes", backend_port=8081, expected=5, health_path="/")


def test_every_frontend_has_a_backend_whose_servers_are_checked() -> None:
    text = render([WEB, BLOG])
    assert "frontend web\n    bind :8080" in text
    assert "backend web\n" in text
    assert "server-template server 16 nodes:8080 check resolvers docker init-addr none" in text
    assert "option httpchk GET /healthz" in text


def test_the_order_of_frontends_changes_nothing() -> None:
    assert render([WEB, BLOG]) == render([BLOG, WEB])


def test_statistics_are_served_where_a_port_is_given_and_nowhere_else() -> None:
    assert "bind :8404" in render([WEB], statistics_port=8404)
    assert "stats" not in render([WEB])


@given(st.integers(min_value=0, max_value=5000))
def test_there_is_room_for_twice_as_many_servers_as_expected(expected: int) -> None:
    assert slots(expected) >= 2 * expected
    assert slots(expected) >= 16


def test_one_server_more_seldom_changes_the_file() -> None:
    assert len({slots(expected) for expected in range(1, 101)}) == 5


def test_a_port_that_speaks_tls_is_passed_on_and_its_servers_are_asked_over_tls() -> None:
    """A check that only connects would be an error in the log of every server, every two seconds."""
    text = render([replace(WEB, name="registry", health_path="/", secure=True)])
    frontend, backend = text.split("frontend registry")[1].split("\n\nbackend registry\n")
    assert "mode tcp" in frontend
    assert "forwardfor" not in frontend
    assert "mode tcp" in backend
    assert "option httpchk GET /" in backend
    assert "server-template server 16 nodes:8080 check check-ssl verify none resolvers" in backend
    assert "check-ssl" not in render([WEB])


def test_a_frontend_that_is_read_only_passes_on_requests_that_look_and_others_are_as_they_were() -> None:
    text = render([replace(WEB, read_only=True), BLOG])
    rule = "http-request deny deny_status 405 unless { method GET HEAD OPTIONS }"
    assert rule in text.split("frontend web")[1].split("\n\n")[0]
    assert text.count(rule) == 1
