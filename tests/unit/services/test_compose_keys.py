"""The table of keys, the reader and the page of the docs say the same."""

import pytest

from components.services.compose.keys import IGNORED, REFUSED, SECTIONS, SERVICE, SUPPORTED, Key
from components.services.compose.model import ComposeError
from components.services.compose.read import read_compose
from stacks.compose_page import PAGE, render

SPECIFICATION = set(
    """
    annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name
    cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec
    depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file
    environment expose extends external_links extra_hosts gpus group_add healthcheck hostname image init ipc
    isolation label_file labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit
    models network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop
    privileged profiles provider pull_policy pull_refresh_after read_only restart runtime scale secrets
    security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits
    use_api_socket user userns_mode uts volumes volumes_from working_dir
    """.split()  # noqa: SIM905 - a list of so many words is no easier to read
)
"""Keys of a service in the Compose specification (https://github.com/compose-spec/compose-spec, 2025)."""

ROWS = [(section, key) for section, table in SECTIONS.items() for key in table.values()]
OF_SERVICES = {
    "services.x": "{key}: {value}",
    "services.x.deploy": "deploy: {{{key}: {value}}}",
    "services.x.deploy.placement": "deploy: {{placement: {{{key}: {value}}}}}",
    "services.x.deploy.resources.limits": "deploy: {{resources: {{limits: {{{key}: {value}}}}}}}",
    "services.x.deploy.resources.reservations": "deploy: {{resources: {{reservations: {{{key}: {value}}}}}}}",
    "services.x.healthcheck": "healthcheck: {{test: a, {key}: {value}}}",
    "services.x.networks.y": "networks: {{default: {{{key}: {value}}}}}",
    "services.x.ports[]": "ports: [{{target: 1, {key}: {value}}}]",
    "services.x.volumes[]": "volumes: [{{type: volume, target: /a, {key}: {value}}}]",
    "services.x.volumes[].bind": "volumes: [{{type: bind, source: /a, target: /a, bind: {{{key}: {value}}}}}]",
    "services.x.volumes[].volume": "volumes: [{{type: volume, target: /a, volume: {{{key}: {value}}}}}]",
}


def written(section: str, key: str) -> str:
    """A file that says the key with a value that means something."""
    if section in OF_SERVICES:
        return "services:\n  a:\n    image: i\n    " + OF_SERVICES[section].format(key=key, value="anything") + "\n"
    kind = {"networks.y": "networks", "volumes.y": "volumes", "secrets.y, configs.y": "secrets"}.get(section)
    file = ", file: f" if kind == "secrets" else ""
    own = f"{kind}: {{y: {{{key}: anything{file}}}}}\n" if kind else f"{key}: anything\n"
    return "services: {a: {image: i}}\n" + own


def test_every_key_of_the_specification_has_a_verdict() -> None:
    assert SPECIFICATION - set(SERVICE) == set()
    assert set(SERVICE) - SPECIFICATION == {"volume_driver"}  # of version 2


@pytest.mark.parametrize(("section", "key"), ROWS, ids=[f"{section} {key.name}" for section, key in ROWS])
def test_a_verdict_that_is_no_yes_says_why_and_what_to_do(section: str, key: Key) -> None:
    assert key.verdict == SUPPORTED or (key.why and key.fix)
    assert not key.why.endswith(".")


UNTAKEN = [(section, key) for section, key in ROWS if key.verdict != SUPPORTED]


@pytest.mark.parametrize(("section", "key"), UNTAKEN, ids=[f"{section} {key.name}" for section, key in UNTAKEN])
def test_what_is_not_taken_is_refused_or_reported_in_the_words_of_the_table(section: str, key: Key) -> None:
    text = written(section, key.name)
    if key.verdict == REFUSED:
        with pytest.raises(ComposeError) as refused:
            read_compose(text)
        (line,) = str(refused.value).splitlines()
        assert f"{key.name} is 'anything': {key.why}; {key.fix}" in line
    else:
        assert key.verdict == IGNORED
        (note,) = read_compose(text).notes
        assert note.endswith(f"{key.name} is 'anything': ignored: {key.why}; {key.fix}")


@pytest.mark.parametrize("section", [*OF_SERVICES, "networks.y", "volumes.y", "secrets.y, configs.y", "the file"])
def test_a_key_that_nobody_knows_is_refused_with_those_that_there_are(section: str) -> None:
    with pytest.raises(ComposeError) as refused:
        read_compose(written(section, "colour"))
    (line,) = str(refused.value).splitlines()
    assert "colour is 'anything': no key of a Compose file here; use one of " in line


def test_the_page_of_the_docs_is_current() -> None:
    assert PAGE.read_text() == render(PAGE.read_text()), "run `make compose-page`"


def test_the_page_names_every_key() -> None:
    page = PAGE.read_text()
    assert [key.name for _, key in ROWS if f"`{key.name}`" not in page] == []
