"""Typed values of Compose files, drawn for property tests: everything that the model can hold and a file can say."""

from typing import Any

from hypothesis import strategies as st

from components.plan.durations import format_duration
from components.services.compose.model import (
    Check,
    ComposeContent,
    ComposeFile,
    ComposeNetwork,
    ComposeService,
    ComposeVolume,
    FileMount,
    FileReference,
    Logging,
    Port,
    Restart,
    Rollout,
)

PRINTABLE = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn"))
TEXTS = st.one_of(
    st.sampled_from(
        ["on", "no", "22:22", "0o17", "0440", "1e3", "~", "null", "$HOME", "${A}", "$$", "#", "- x", "<<", "="]
    ),
    st.text(PRINTABLE, min_size=1, max_size=12),
)
NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,6}[a-z0-9]", fullmatch=True)
PATHS = st.from_regex(r"/[a-z0-9_.-]{1,8}(/[a-z0-9]{1,4})?", fullmatch=True)
KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,8}", fullmatch=True)
LABELS = st.dictionaries(KEYS, TEXTS | st.just(""), max_size=2)
DURATIONS = st.integers(min_value=1, max_value=10**14).map(format_duration)
SIZES = st.integers(min_value=4 * 2**20, max_value=2**45)
CPUS = st.integers(min_value=1, max_value=64_000).map(lambda thousandths: thousandths / 1000)
WORDS = st.lists(TEXTS, min_size=1, max_size=3).map(tuple)
PORTS = st.integers(min_value=1, max_value=65535)
MODES = st.integers(min_value=0, max_value=0o777)
MAYBE = st.none()


def some(items: Any, most: int = 2) -> Any:
    return st.lists(items, max_size=most, unique=True).map(tuple)


CHECKS = st.one_of(
    st.just(Check(form="NONE")),
    st.builds(
        Check,
        form=st.just("CMD"),
        test=WORDS,
        interval=MAYBE | DURATIONS,
        timeout=MAYBE | DURATIONS,
        retries=MAYBE | st.integers(min_value=0, max_value=9),
        start_period=MAYBE | DURATIONS,
    ),
    st.builds(Check, form=st.just("CMD-SHELL"), test=TEXTS.map(lambda text: (text,))),
)


def rollouts(*actions: str) -> Any:
    return st.builds(
        Rollout,
        parallelism=MAYBE | st.integers(min_value=0, max_value=9),
        delay=MAYBE | DURATIONS,
        failure_action=MAYBE | st.sampled_from(actions),
        monitor=MAYBE | DURATIONS,
        max_failure_ratio=MAYBE | st.integers(min_value=0, max_value=10).map(lambda tenths: tenths / 10),
        order=MAYBE | st.sampled_from(["start-first", "stop-first"]),
    )


RESTARTS = st.builds(
    Restart,
    condition=MAYBE | st.sampled_from(["none", "on-failure", "any"]),
    delay=MAYBE | DURATIONS,
    max_attempts=MAYBE | st.integers(min_value=0, max_value=9),
    window=MAYBE | DURATIONS,
)


def mounts(volumes: list[str]) -> Any:
    named = st.builds(
        FileMount,
        type=st.just("volume"),
        target=PATHS,
        source=st.sampled_from(["", *volumes]),
        read_only=st.booleans(),
        no_copy=st.booleans(),
    )
    bound = st.builds(
        FileMount,
        type=st.just("bind"),
        target=PATHS,
        source=PATHS,
        read_only=st.booleans(),
        propagation=st.sampled_from(["", "rslave", "shared"]),
    )
    memory = st.builds(FileMount, type=st.just("tmpfs"), target=PATHS, size=MAYBE | SIZES, mode=MAYBE | MODES)
    return st.lists(named | bound | memory, max_size=3, unique_by=lambda mount: mount.target).map(tuple)


def references(keys: list[str]) -> Any:
    if not keys:
        return st.just(())
    reference = st.builds(
        FileReference,
        source=st.sampled_from(keys),
        target=PATHS,
        mode=MODES,
        uid=st.sampled_from(["", "1000"]),
        gid=st.sampled_from(["", "33"]),
    )
    return st.lists(reference, max_size=2, unique_by=lambda item: item.target).map(tuple)


@st.composite
def services(draw: Any, file: ComposeFile) -> ComposeService:
    networks = st.dictionaries(st.sampled_from(sorted(file.networks)), some(NAMES), min_size=1, max_size=2)
    return draw(
        st.builds(
            ComposeService,
            image=st.from_regex(r"[a-z]{1,8}(:[a-z0-9.]{1,4})?", fullmatch=True),
            entrypoint=st.just(()) | WORDS,
            command=st.just(()) | WORDS,
            environment=LABELS,
            labels=LABELS,
            container_labels=LABELS,
            replicas=MAYBE | st.integers(min_value=0, max_value=99),
            constraints=some(NAMES.map(lambda name: f"node.labels.{name} == {name}")),
            preferences=some(NAMES.map(lambda name: f"node.labels.{name}")),
            max_replicas_per_node=st.integers(min_value=0, max_value=3),
            update=rollouts("pause", "continue", "rollback"),
            rollback=rollouts("pause", "continue"),
            restart=RESTARTS,
            memory=MAYBE | SIZES,
            cpus=MAYBE | CPUS,
            reserved_memory=st.just(0) | SIZES,
            reserved_cpus=st.just(0.0) | CPUS,
            endpoint_mode=st.sampled_from([None, "vip", "dnsrr"]),
            ports=some(
                st.builds(
                    Port,
                    target=PORTS,
                    published=MAYBE | PORTS,
                    protocol=st.sampled_from(["tcp", "udp"]),
                    mode=st.sampled_from(["ingress", "host"]),
                )
            ),
            networks=networks,
            mounts=mounts(sorted(file.volumes)),
            secrets=references(sorted(file.secrets)),
            configs=references(sorted(file.configs)),
            healthcheck=MAYBE | CHECKS,
            stop_grace_period=MAYBE | DURATIONS,
            stop_signal=st.sampled_from(["", "SIGINT"]),
            hostname=st.just("") | NAMES,
            user=st.sampled_from(["", "1000:33", "root"]),
            groups=some(NAMES),
            working_dir=st.just("") | PATHS,
            init=st.booleans(),
            read_only=st.booleans(),
            cap_add=some(st.sampled_from(["CAP_NET_ADMIN", "ALL", "CAP_CHOWN"])),
            cap_drop=some(st.sampled_from(["CAP_NET_ADMIN", "ALL", "CAP_CHOWN"])),
            sysctls=LABELS,
            hosts=some(st.tuples(NAMES, st.sampled_from(["192.0.2.1", "2001:db8::1"]))),
            dns=some(st.sampled_from(["192.0.2.53", "192.0.2.54"])),
            dns_search=some(NAMES),
            dns_options=some(st.sampled_from(["use-vc", "ndots:2"])),
            logging=MAYBE | st.builds(Logging, driver=st.sampled_from(["local", "syslog"]), options=LABELS),
            platform=st.sampled_from(["", "linux/arm64"]),
        )
    )


NETWORKS = st.one_of(
    st.builds(ComposeNetwork, name=NAMES, external=st.just(True)),
    st.builds(
        ComposeNetwork,
        name=st.just("") | NAMES,
        attachable=st.booleans(),
        internal=st.booleans(),
        encrypted=st.booleans(),
        mtu=MAYBE | st.integers(min_value=1280, max_value=9216),
        labels=LABELS,
    ),
)
VOLUMES = st.one_of(
    st.builds(ComposeVolume, name=NAMES, external=st.just(True)),
    st.builds(ComposeVolume, name=st.just("") | NAMES, driver_options=LABELS, labels=LABELS),
)
SECRETS = st.one_of(
    st.builds(ComposeContent, name=NAMES, external=st.just(True)),
    st.builds(ComposeContent, file=PATHS),
)
CONFIGS = SECRETS | st.builds(ComposeContent, content=TEXTS | st.just(""))


@st.composite
def files(draw: Any) -> ComposeFile:
    """A whole file whose services name only what it declares."""
    empty = ComposeFile(
        services={},
        networks=draw(st.dictionaries(NAMES, NETWORKS, min_size=1, max_size=2)),
        volumes=draw(st.dictionaries(NAMES, VOLUMES, max_size=2)),
        secrets=draw(st.dictionaries(NAMES, SECRETS, max_size=2)),
        configs=draw(st.dictionaries(NAMES, CONFIGS, max_size=2)),
    )
    return ComposeFile(
        services=draw(st.dictionaries(NAMES, services(empty), min_size=1, max_size=2)),
        networks=empty.networks,
        volumes=empty.volumes,
        secrets=empty.secrets,
        configs=empty.configs,
    )
