"""Files of one-shot jobs, which are no services of pulumi-docker's: a Docker config or secret as the component's own
child, and how the job names it."""

import pulumi
import pulumi_docker as docker

from components.component import Component
from components.services.service import encoded
from components.swarm import resources as swarm
from components.swarm.cluster import Swarm


def job_config(owner: Component, key: str, *, content: str, path: str, cluster: Swarm) -> swarm.JobConfigArgs:
    """A text as the file `path`, on whatever node the job runs."""
    config = docker.ServiceConfig(owner.child_name(key), data=encoded(content), opts=_in_cluster(owner, cluster))
    return swarm.JobConfigArgs(config_id=config.id, config_name=config.name, file_name=path)


def job_secret(
    owner: Component, key: str, *, content: pulumi.Input[str], file_name: str, cluster: Swarm
) -> swarm.JobSecretArgs:
    """A secret text as the file `/run/secrets/<file_name>`, or where an absolute path says."""
    secret = docker.Secret(
        owner.child_name(key),
        data=pulumi.Output.secret(content).apply(encoded),
        opts=_in_cluster(owner, cluster),
    )
    return swarm.JobSecretArgs(secret_id=secret.id, secret_name=secret.name, file_name=file_name)


def _in_cluster(owner: Component, cluster: Swarm) -> pulumi.ResourceOptions:
    return owner.child(provider=cluster.provider, deleted_with=cluster.resource)
