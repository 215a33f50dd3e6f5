"""Typed classes of the resources that our own provider plugin `swarm` serves; `plugins/swarm` tells what each does.

Their wire names are camelCase, ours snake_case; the keys of maps (labels, triggers, environment) stay as written.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, dataclass_transform

import pulumi

Role = Literal["manager", "worker"]
Availability = Literal["active", "pause", "drain"]
_Class = TypeVar("_Class")


@dataclass_transform(kw_only_default=True, field_specifiers=(pulumi.property,))
def _arguments(cls: type[_Class]) -> type[_Class]:
    """`pulumi.input_type`, with a constructor that type checkers see."""
    return pulumi.input_type(cls)


@_arguments
class ConnectionArgs:
    """A machine's SSH endpoint. `host_key` is its public key line (`ssh-ed25519 AAAA…`); only a Host may go without."""

    address: pulumi.Input[str]
    port: pulumi.Input[int]
    user: pulumi.Input[str]
    host_key: pulumi.Input[str] | None = pulumi.property("hostKey", default=None)


@pulumi.output_type
class Connection(dict[str, Any]):
    """A machine's SSH endpoint with the host key that is required from now on, as `Host` gives it."""

    address: str
    port: int
    user: str
    host_key: str = pulumi.property("hostKey")


AnyConnection = pulumi.Input[ConnectionArgs] | pulumi.Input[Connection]


class Provider(pulumi.ProviderResource):
    """The provider `swarm`. `identity_file` is the path of a private key (its content never enters the program);
    `ssh_options` are further words for ssh's command line."""

    def __init__(
        self,
        resource_name: str,
        *,
        identity_file: pulumi.Input[str],
        ssh_options: pulumi.Input[Sequence[str]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        # Configuration of a provider is text: what is not a string goes as JSON.
        options = pulumi.Output.json_dumps(ssh_options)
        super().__init__("swarm", resource_name, {"identityFile": identity_file, "sshOptions": options}, opts)


@_arguments
class _HostProperties:
    connection: pulumi.Input[ConnectionArgs]
    triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    required_engine_version: pulumi.Input[str] = pulumi.property("requiredEngineVersion")
    minimum_memory: pulumi.Input[int] = pulumi.property("minimumMemory")
    timeout: pulumi.Input[int]


class Host(pulumi.CustomResource):
    """A machine that answers: SSH, cloud-init done, dockerd of a wanted version.

    A change of `triggers` makes it a new machine: it has to answer again, and a host key recorded at first contact is
    recorded anew. `required_engine_version` is a prefix (`20.10`), `minimum_memory` in bytes, `timeout` in seconds.
    """

    connection: pulumi.Output[Connection]
    """The endpoint with the host key that is required from now on."""
    hostname: pulumi.Output[str]
    """The machine's own name."""
    engine_version: pulumi.Output[str] = pulumi.property("engineVersion")
    """Version of its Docker engine."""
    architecture: pulumi.Output[str]
    """For instance x86_64."""
    cpus: pulumi.Output[int]
    """Number of processors."""
    memory: pulumi.Output[int]
    """Memory in bytes."""
    ipvs: pulumi.Output[bool]
    """Whether its kernel can carry service VIPs and the ingress mesh (IP_VS)."""

    def __init__(
        self,
        resource_name: str,
        *,
        connection: AnyConnection,
        triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        required_engine_version: pulumi.Input[str] | None = None,
        minimum_memory: pulumi.Input[int] | None = None,
        timeout: pulumi.Input[int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = _fill(
            _HostProperties,
            connection=connection,
            triggers=triggers,
            required_engine_version=required_engine_version,
            minimum_memory=minimum_memory,
            timeout=timeout,
            **_outputs("hostname", "engine_version", "architecture", "cpus", "memory", "ipvs"),
        )
        super().__init__("swarm:index:Host", resource_name, properties, opts)


@_arguments
class _ClusterProperties:
    connection: pulumi.Input[ConnectionArgs]
    managers: pulumi.Input[Sequence[pulumi.Input[ConnectionArgs]]]
    advertise_address: pulumi.Input[str] = pulumi.property("advertiseAddress")
    data_path_address: pulumi.Input[str] = pulumi.property("dataPathAddress")
    data_path_port: pulumi.Input[int] = pulumi.property("dataPathPort")
    default_address_pools: pulumi.Input[Sequence[pulumi.Input[str]]] = pulumi.property("defaultAddressPools")
    subnet_size: pulumi.Input[int] = pulumi.property("subnetSize")
    listen_address: pulumi.Input[str] = pulumi.property("listenAddress")
    autolock: pulumi.Input[bool]
    certificate_expiry: pulumi.Input[str] = pulumi.property("certificateExpiry")
    task_history_limit: pulumi.Input[int] = pulumi.property("taskHistoryLimit")
    snapshot_interval: pulumi.Input[int] = pulumi.property("snapshotInterval")


class Cluster(pulumi.CustomResource):
    """One swarm: found through any of `managers`, else initialised on the machine of `connection`, and never twice.

    Its id is the swarm's cluster id. Addresses, ports and pools are fixed at birth; autolock, certificate expiry (Go
    duration, `2160h`), task history limit and snapshot interval can change.
    """

    cluster_id: pulumi.Output[str] = pulumi.property("clusterId")
    """The swarm's own id."""
    manager_addresses: pulumi.Output[Sequence[str]] = pulumi.property("managerAddresses")
    """Where to join, for instance `10.0.0.11:2377`."""
    endpoint: pulumi.Output[str]
    """`ssh://user@address:port` of a manager that answers."""
    endpoint_host_key: pulumi.Output[str] = pulumi.property("endpointHostKey")
    """The host key required of the endpoint."""
    worker_token: pulumi.Output[str] = pulumi.property("workerToken")
    """Join token for workers; secret."""
    manager_token: pulumi.Output[str] = pulumi.property("managerToken")
    """Join token for managers; secret."""
    unlock_key: pulumi.Output[str] = pulumi.property("unlockKey")
    """What unlocks a restarted manager when autolock is on, else empty; secret."""

    def __init__(
        self,
        resource_name: str,
        *,
        connection: AnyConnection,
        managers: pulumi.Input[Sequence[AnyConnection]],
        advertise_address: pulumi.Input[str],
        data_path_address: pulumi.Input[str] | None = None,
        data_path_port: pulumi.Input[int] | None = None,
        default_address_pools: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        subnet_size: pulumi.Input[int] | None = None,
        listen_address: pulumi.Input[str] | None = None,
        autolock: pulumi.Input[bool] | None = None,
        certificate_expiry: pulumi.Input[str] | None = None,
        task_history_limit: pulumi.Input[int] | None = None,
        snapshot_interval: pulumi.Input[int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = _fill(
            _ClusterProperties,
            connection=connection,
            managers=managers,
            advertise_address=advertise_address,
            data_path_address=data_path_address,
            data_path_port=data_path_port,
            default_address_pools=default_address_pools,
            subnet_size=subnet_size,
            listen_address=listen_address,
            autolock=autolock,
            certificate_expiry=certificate_expiry,
            task_history_limit=task_history_limit,
            snapshot_interval=snapshot_interval,
            **_outputs(
                *("cluster_id", "manager_addresses", "endpoint", "endpoint_host_key"),
                *("worker_token", "manager_token", "unlock_key"),
            ),
        )
        secrets = pulumi.ResourceOptions(additional_secret_outputs=["worker_token", "manager_token", "unlock_key"])
        super().__init__("swarm:index:Cluster", resource_name, properties, pulumi.ResourceOptions.merge(opts, secrets))


@_arguments
class _NodeProperties:
    connection: pulumi.Input[ConnectionArgs]
    managers: pulumi.Input[Sequence[pulumi.Input[ConnectionArgs]]]
    cluster_id: pulumi.Input[str] = pulumi.property("clusterId")
    manager_addresses: pulumi.Input[Sequence[pulumi.Input[str]]] = pulumi.property("managerAddresses")
    join_token: pulumi.Input[str] = pulumi.property("joinToken")
    role: pulumi.Input[str]
    advertise_address: pulumi.Input[str] = pulumi.property("advertiseAddress")
    data_path_address: pulumi.Input[str] = pulumi.property("dataPathAddress")
    availability: pulumi.Input[str]
    labels: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]]


class Node(pulumi.CustomResource):
    """A machine's membership: joins, is promoted, demoted, drained and labelled in place.

    Its deletion drains, waits for the tasks, demotes, leaves and removes; it is refused where the managers would lose
    their quorum. A change of `triggers` makes it leave and join anew.
    """

    node_id: pulumi.Output[str] = pulumi.property("nodeId")
    """The node's id in the swarm."""
    hostname: pulumi.Output[str]
    """The name that `docker node ls` shows."""
    address: pulumi.Output[str]
    """The address that the managers see it at."""
    state: pulumi.Output[str]
    """`ready` when it was last looked at."""

    def __init__(
        self,
        resource_name: str,
        *,
        connection: AnyConnection,
        managers: pulumi.Input[Sequence[AnyConnection]],
        cluster_id: pulumi.Input[str],
        manager_addresses: pulumi.Input[Sequence[str]],
        join_token: pulumi.Input[str],
        role: pulumi.Input[Role],
        advertise_address: pulumi.Input[str],
        data_path_address: pulumi.Input[str] | None = None,
        availability: pulumi.Input[Availability] | None = None,
        labels: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = _fill(
            _NodeProperties,
            connection=connection,
            managers=managers,
            cluster_id=cluster_id,
            manager_addresses=manager_addresses,
            join_token=pulumi.Output.secret(join_token),
            role=role,
            advertise_address=advertise_address,
            data_path_address=data_path_address,
            availability=availability,
            labels=labels,
            triggers=triggers,
            **_outputs("node_id", "hostname", "address", "state"),
        )
        super().__init__("swarm:index:Node", resource_name, properties, opts)


@_arguments
class _ReadinessProperties:
    managers: pulumi.Input[Sequence[pulumi.Input[ConnectionArgs]]]
    cluster_id: pulumi.Input[str] = pulumi.property("clusterId")
    node_ids: pulumi.Input[Sequence[pulumi.Input[str]]] = pulumi.property("nodeIds")
    ready_workers: pulumi.Input[int] = pulumi.property("readyWorkers")
    triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    timeout: pulumi.Input[int]


class Readiness(pulumi.CustomResource):
    """A gate: it stands once all nodes are ready, so that what is deployed behind it spreads over all of them.

    With `ready_workers` (for workers that join by themselves, so that nobody knows their ids) it also waits until the
    swarm has at least so many workers that are ready and active; a change of `triggers` has them counted anew.
    """

    ready: pulumi.Output[int]
    """At least so many nodes were ready."""

    def __init__(
        self,
        resource_name: str,
        *,
        managers: pulumi.Input[Sequence[AnyConnection]],
        cluster_id: pulumi.Input[str],
        node_ids: pulumi.Input[Sequence[pulumi.Input[str]]],
        ready_workers: pulumi.Input[int] | None = None,
        triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        timeout: pulumi.Input[int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = _fill(
            _ReadinessProperties,
            managers=managers,
            cluster_id=cluster_id,
            node_ids=node_ids,
            ready_workers=ready_workers,
            triggers=triggers,
            timeout=timeout,
            **_outputs("ready"),
        )
        super().__init__("swarm:index:Readiness", resource_name, properties, opts)


@_arguments
class JobSecretArgs:
    """A Docker secret as the file `/run/secrets/<file_name>` of a job."""

    secret_id: pulumi.Input[str] = pulumi.property("secretId")
    secret_name: pulumi.Input[str] = pulumi.property("secretName")
    file_name: pulumi.Input[str] = pulumi.property("fileName")


@_arguments
class JobConfigArgs:
    """A Docker config as a file of a job; `file_name` is an absolute path."""

    config_id: pulumi.Input[str] = pulumi.property("configId")
    config_name: pulumi.Input[str] = pulumi.property("configName")
    file_name: pulumi.Input[str] = pulumi.property("fileName")


@_arguments
class JobMountArgs:
    """A mount of a job; `type` is volume, bind or tmpfs (which has no source)."""

    type: pulumi.Input[str]
    target: pulumi.Input[str]
    source: pulumi.Input[str] | None = None
    read_only: pulumi.Input[bool] | None = pulumi.property("readOnly", default=None)


@_arguments
class _JobProperties:
    managers: pulumi.Input[Sequence[pulumi.Input[ConnectionArgs]]]
    cluster_id: pulumi.Input[str] = pulumi.property("clusterId")
    image: pulumi.Input[str]
    command: pulumi.Input[Sequence[pulumi.Input[str]]]
    args: pulumi.Input[Sequence[pulumi.Input[str]]]
    env: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    secrets: pulumi.Input[Sequence[pulumi.Input[JobSecretArgs]]]
    configs: pulumi.Input[Sequence[pulumi.Input[JobConfigArgs]]]
    networks: pulumi.Input[Sequence[pulumi.Input[str]]]
    mounts: pulumi.Input[Sequence[pulumi.Input[JobMountArgs]]]
    constraints: pulumi.Input[Sequence[pulumi.Input[str]]]
    memory: pulumi.Input[int]
    cpus: pulumi.Input[float]
    labels: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    timeout: pulumi.Input[int]
    log_lines: pulumi.Input[int] = pulumi.property("logLines")
    triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]]


class Job(pulumi.CustomResource):
    """A one-shot service: it runs once to its end; any change runs it again as a new one.

    A job that fails fails the update with its last `log_lines` lines, and its service is removed. `memory` is in bytes,
    `timeout` in seconds; `env` is for what is not secret: secrets come as files.
    """

    exit_code: pulumi.Output[int] = pulumi.property("exitCode")
    """Exit code of its container."""
    logs: pulumi.Output[Sequence[str]]
    """Its last lines."""
    output: pulumi.Output[Sequence[str]]
    """The last lines of its standard output alone."""
    state: pulumi.Output[str]
    """`complete`."""
    node_id: pulumi.Output[str] = pulumi.property("nodeId")
    """The node that it ran on."""

    def __init__(
        self,
        resource_name: str,
        *,
        managers: pulumi.Input[Sequence[AnyConnection]],
        cluster_id: pulumi.Input[str],
        image: pulumi.Input[str],
        command: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        args: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        env: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        secrets: pulumi.Input[Sequence[pulumi.Input[JobSecretArgs]]] | None = None,
        configs: pulumi.Input[Sequence[pulumi.Input[JobConfigArgs]]] | None = None,
        networks: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        mounts: pulumi.Input[Sequence[pulumi.Input[JobMountArgs]]] | None = None,
        constraints: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        memory: pulumi.Input[int] | None = None,
        cpus: pulumi.Input[float] | None = None,
        labels: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        timeout: pulumi.Input[int] | None = None,
        log_lines: pulumi.Input[int] | None = None,
        triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = _fill(
            _JobProperties,
            managers=managers,
            cluster_id=cluster_id,
            image=image,
            command=command,
            args=args,
            env=env,
            secrets=secrets,
            configs=configs,
            networks=networks,
            mounts=mounts,
            constraints=constraints,
            memory=memory,
            cpus=cpus,
            labels=labels,
            timeout=timeout,
            log_lines=log_lines,
            triggers=triggers,
            **_outputs("exit_code", "logs", "output", "state", "node_id"),
        )
        super().__init__("swarm:index:Job", resource_name, properties, opts)


@_arguments
class _AdmissionProperties:
    managers: pulumi.Input[Sequence[pulumi.Input[ConnectionArgs]]]
    cluster_id: pulumi.Input[str] = pulumi.property("clusterId")
    member: pulumi.Input[str]
    image: pulumi.Input[str]
    admit: pulumi.Input[Sequence[pulumi.Input[str]]]
    release: pulumi.Input[Sequence[pulumi.Input[str]]]
    env: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    networks: pulumi.Input[Sequence[pulumi.Input[str]]]
    mounts: pulumi.Input[Sequence[pulumi.Input[JobMountArgs]]]
    constraints: pulumi.Input[Sequence[pulumi.Input[str]]]
    memory: pulumi.Input[int]
    cpus: pulumi.Input[float]
    timeout: pulumi.Input[int]
    after: pulumi.Input[Sequence[pulumi.Input[str]]]


class Admission(pulumi.CustomResource):
    """Two errands of a member of something larger: `admit` runs when this is created, `release` before it is deleted.

    Both are commands of one-shot services; one that fails fails the update with its last lines, so that a member which
    may not go stays, and all that this depends on stays too (`after` is there for that edge). A change is written down
    and runs nothing. Give it `deleted_with` what makes the release needless: no errand runs when that goes too.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        managers: pulumi.Input[Sequence[AnyConnection]],
        cluster_id: pulumi.Input[str],
        member: pulumi.Input[str],
        image: pulumi.Input[str],
        admit: pulumi.Input[Sequence[pulumi.Input[str]]],
        release: pulumi.Input[Sequence[pulumi.Input[str]]],
        env: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        networks: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        mounts: pulumi.Input[Sequence[pulumi.Input[JobMountArgs]]] | None = None,
        constraints: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        memory: pulumi.Input[int] | None = None,
        cpus: pulumi.Input[float] | None = None,
        timeout: pulumi.Input[int] | None = None,
        after: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = _fill(
            _AdmissionProperties,
            managers=managers,
            cluster_id=cluster_id,
            member=member,
            image=image,
            admit=admit,
            release=release,
            env=env,
            networks=networks,
            mounts=mounts,
            constraints=constraints,
            memory=memory,
            cpus=cpus,
            timeout=timeout,
            after=after,
        )
        super().__init__("swarm:index:Admission", resource_name, properties, opts)


@_arguments
class _MountProperties:
    connection: pulumi.Input[ConnectionArgs]
    serial: pulumi.Input[str]
    path: pulumi.Input[str]
    options: pulumi.Input[Sequence[pulumi.Input[str]]]
    size_gib: pulumi.Input[int] = pulumi.property("sizeGib")
    device_name: pulumi.Input[str] = pulumi.property("deviceName")
    triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    timeout: pulumi.Input[int]


class Mount(pulumi.CustomResource):
    """The file system of a block volume that is attached to a machine, mounted there now and at every start.

    `serial` is the volume's id (EBS or Cinder): the disk is found by what it tells of itself. Only a blank volume is
    formatted (ext4); an ext4 or xfs that is there is mounted as it is, everything else is refused. `options` are those
    of mount (default nodev, nosuid). With `size_gib` it waits until the disk is that large and the file system too.
    `device_name` is what the volume is attached as (`/dev/sdf`), used where disks tell no serial (Xen: t2 and older).
    Its deletion waits until nothing uses the volume, then unmounts; the data stays. A change of `triggers` mounts anew.
    """

    path: pulumi.Output[str]
    """Where it is mounted."""
    device: pulumi.Output[str]
    """The disk's name when it was last looked at; another one after a start of the machine."""
    uuid: pulumi.Output[str]
    """The file system's id."""
    formatted: pulumi.Output[bool]
    """Whether the file system was made when this was created, because the volume was blank."""

    def __init__(
        self,
        resource_name: str,
        *,
        connection: AnyConnection,
        serial: pulumi.Input[str],
        path: pulumi.Input[str],
        options: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        size_gib: pulumi.Input[int] | None = None,
        device_name: pulumi.Input[str] | None = None,
        triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        timeout: pulumi.Input[int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = _fill(
            _MountProperties,
            connection=connection,
            serial=serial,
            path=path,
            options=options,
            size_gib=size_gib,
            device_name=device_name,
            triggers=triggers,
            timeout=timeout,
            **_outputs("device", "uuid", "formatted"),
        )
        super().__init__("swarm:index:Mount", resource_name, properties, opts)


def _fill(kind: type[Any], **values: Any) -> Any:
    """An object of a properties class from Python names; outputs stand in it as None, which declares them."""
    properties: Any = object.__new__(kind)
    properties.__dict__.update(values)
    return properties


def _outputs(*names: str) -> dict[str, None]:
    return dict.fromkeys(names)
