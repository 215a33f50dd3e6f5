"""Ports: the table that every cloud's firewall is a rendering of, and what may not be published."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.plan.errors import PlanError
from components.plan.ports import (
    HostPort,
    Publication,
    Rule,
    check_data_path_port,
    check_host_ports,
    check_publications,
    groups_of,
    port_table,
    reserved_ports,
    sources_of,
)


def shape(rules: tuple[Rule, ...]) -> set[tuple[str, str, str, str]]:
    return {(rule.protocol, rule.ports, rule.source, rule.target) for rule in rules}


BASE = {
    ("tcp", "22", "admin", "nodes"),
    ("tcp", "2377", "nodes", "manager"),
    ("tcp", "7946", "nodes", "nodes"),
    ("udp", "7946", "nodes", "nodes"),
    ("udp", "4789", "nodes", "nodes"),
}


def test_a_bare_swarm_opens_what_swarm_needs_and_nothing_else() -> None:
    assert shape(port_table()) == BASE


def test_encryption_opens_esp_which_has_no_ports() -> None:
    assert shape(port_table(encrypted=True)) == BASE | {("esp", "", "nodes", "nodes")}


def test_flocker_opens_its_ports_only_when_it_is_used() -> None:
    assert shape(port_table(flocker=True)) == BASE | {
        ("tcp", "4523", "admin", "manager"),
        ("tcp", "4524", "nodes", "manager"),
    }


def test_another_data_path_port_takes_the_place_of_the_usual_one() -> None:
    assert shape(port_table(data_path_port=5789)) == (BASE - {("udp", "4789", "nodes", "nodes")}) | {
        ("udp", "5789", "nodes", "nodes")
    }


def test_a_published_port_is_public_and_names_its_service() -> None:
    rules = port_table(publications=[Publication(service="web", port=8080)])
    assert shape(rules) == BASE | {("tcp", "8080", "public", "nodes")}
    assert rules[-1].why == "published by service web"


def test_a_rule_has_a_key_for_the_name_of_a_resource() -> None:
    assert [rule.key for rule in port_table(encrypted=True)] == [
        "tcp-22-admin-nodes",
        "tcp-2377-nodes-manager",
        "tcp-7946-nodes-nodes",
        "udp-7946-nodes-nodes",
        "udp-4789-nodes-nodes",
        "esp-nodes-nodes",
    ]


publications = st.lists(
    st.builds(
        Publication,
        service=st.sampled_from(["web", "wordpress", "spark"]),
        port=st.integers(1, 65535) | st.sampled_from([22, 2375, 2377, 7946, 4789]),
        protocol=st.sampled_from(["tcp", "udp"]),
    ),
    max_size=6,
)


@given(publications, st.integers(1024, 49151), st.booleans(), st.booleans())
def test_only_declared_ports_are_public_and_the_docker_api_never_is(
    published: list[Publication], data_path_port: int, encrypted: bool, flocker: bool
) -> None:
    try:
        rules = port_table(data_path_port=data_path_port, encrypted=encrypted, flocker=flocker, publications=published)
    except PlanError:
        return
    declared = {(item.protocol, str(item.port)) for item in published}
    assert {(rule.protocol, rule.ports) for rule in rules if rule.source == "public"} == declared
    assert not [rule for rule in rules if rule.protocol == "tcp" and rule.first <= 2375 <= rule.last]
    assert all(rule.why for rule in rules)
    assert max(Counter(rule.key for rule in rules).values()) == 1


@given(publications)
def test_publications_are_refused_exactly_when_two_meet_or_one_is_reserved(published: list[Publication]) -> None:
    places = [(item.port, item.protocol) for item in published]
    wrong = len(set(places)) < len(places) or any(place in reserved_ports() for place in places)
    try:
        check_publications(published)
    except PlanError:
        assert wrong
    else:
        assert not wrong


def test_the_same_port_may_be_published_over_tcp_and_udp() -> None:
    check_publications([Publication(service="dns", port=53), Publication(service="dns", port=53, protocol="udp")])


@pytest.mark.parametrize(
    ("published", "message"),
    [
        (
            [Publication(service="web", port=8080), Publication(service="wordpress", port=8080)],
            "service wordpress: published port is 8080/tcp: service web publishes it already; "
            "publish another port with one of the two",
        ),
        (
            [Publication(service="web", port=22)],
            "service web: published port is 22/tcp: nodes use it for SSH; publish another port, such as 8080",
        ),
        (
            [Publication(service="web", port=2377)],
            "service web: published port is 2377/tcp: nodes use it for swarm management; "
            "publish another port, such as 8080",
        ),
        (
            [Publication(service="web", port=2375)],
            "service web: published port is 2375/tcp: nodes use it for the Docker API; "
            "publish another port, such as 8080",
        ),
        (
            [Publication(service="vpn", port=4789, protocol="udp")],
            "service vpn: published port is 4789/udp: nodes use it for overlay traffic; "
            "publish another port, such as 8080",
        ),
        (
            [Publication(service="web", port=70000)],
            "service web: published port is 70000: no port; use 1 to 65535",
        ),
    ],
)
def test_a_port_that_cannot_be_published_is_refused(published: list[Publication], message: str) -> None:
    with pytest.raises(PlanError) as refusal:
        check_publications(published)
    assert str(refusal.value) == message


def test_flockers_ports_are_reserved_only_when_it_is_used() -> None:
    published = [Publication(service="web", port=4523)]
    check_publications(published)
    with pytest.raises(PlanError, match="nodes use it for Flocker"):
        check_publications(published, flocker=True)


@pytest.mark.parametrize(
    ("port", "message"),
    [
        (
            1023,
            "swarm.data_path_port is 1023: out of the range that swarm takes; use 1024 to 49151, usually 4789",
        ),
        (
            49152,
            "swarm.data_path_port is 49152: out of the range that swarm takes; use 1024 to 49151, usually 4789",
        ),
        (7946, "swarm.data_path_port is 7946: the port of swarm's gossip; use 4789"),
    ],
)
def test_a_data_path_port_that_cannot_work_is_refused(port: int, message: str) -> None:
    with pytest.raises(PlanError) as refusal:
        check_data_path_port(port)
    assert str(refusal.value) == message


@pytest.mark.parametrize(("one", "other"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("10.0.0.1", "")])
def test_two_things_on_one_port_of_the_users_computer_are_refused(one: str, other: str) -> None:
    ports = [
        HostPort(owner="services.web.port", port=8404, address=one),
        HostPort(owner="load_balancer.statistics_port", port=8404, address=other),
    ]
    with pytest.raises(PlanError) as refusal:
        check_host_ports(ports)
    assert str(refusal.value) == (
        "load_balancer.statistics_port is 8404: services.web.port has this port on "
        f"{one} already; use another port for one of the two"
    )


def test_one_port_on_two_addresses_is_no_clash() -> None:
    check_host_ports(
        [HostPort(owner="a", port=80, address="127.0.0.1"), HostPort(owner="b", port=80, address="127.0.0.2")]
    )


def test_a_host_port_beyond_the_last_is_refused() -> None:
    with pytest.raises(PlanError, match=r"^ssh.first_port: port of worker-1 is 65536: no port; use 1 to 65535$"):
        check_host_ports([HostPort(owner="ssh.first_port: port of worker-1", port=65536)])


def test_with_a_bastion_ssh_leads_through_it_alone() -> None:
    assert shape(port_table(access="bastion")) == (BASE - {("tcp", "22", "admin", "nodes")}) | {
        ("tcp", "22", "admin", "bastion"),
        ("tcp", "22", "bastion", "nodes"),
    }


def test_a_session_of_the_cloud_needs_no_port() -> None:
    assert shape(port_table(access="session")) == BASE - {("tcp", "22", "admin", "nodes")}


def test_with_haproxy_in_front_the_public_reaches_it_and_only_it_reaches_the_nodes() -> None:
    rules = port_table(publications=[Publication(service="web", port=8080)], statistics_port=8404)
    assert shape(rules) == BASE | {
        ("tcp", "22", "admin", "balancer"),
        ("tcp", "8080", "public", "balancer"),
        ("tcp", "8080", "balancer", "nodes"),
        ("tcp", "8404", "admin", "balancer"),
    }


def test_every_rule_has_a_key_of_its_own() -> None:
    publications = [Publication(service="web", port=8080), Publication(service="dns", port=53, protocol="udp")]
    rules = port_table(encrypted=True, flocker=True, publications=publications, access="bastion", statistics_port=8404)
    assert len({rule.key for rule in rules}) == len(rules) == 15


def test_who_is_a_group_is_let_in_as_a_group_and_others_by_their_networks() -> None:
    networks = ("203.0.113.0/24", "198.51.100.0/24")
    table = {rule.key: rule for rule in port_table(publications=[Publication(service="web", port=8080)])}
    assert list(sources_of(table["tcp-2377-nodes-manager"], networks)) == [("tcp-2377-nodes-manager", None)]
    assert list(sources_of(table["tcp-22-admin-nodes"], networks)) == [
        ("tcp-22-admin-nodes-203.0.113.0-24", "203.0.113.0/24"),
        ("tcp-22-admin-nodes-198.51.100.0-24", "198.51.100.0/24"),
    ]
    assert list(sources_of(table["tcp-8080-public-nodes"], networks)) == [
        ("tcp-8080-public-nodes-0.0.0.0-0", "0.0.0.0/0")
    ]


def test_every_machine_that_a_rule_is_about_has_a_group_and_the_nodes_always() -> None:
    assert groups_of(()) == ("nodes",)
    assert groups_of(port_table(access="bastion", statistics_port=8404)) == ("balancer", "bastion", "manager", "nodes")
