"""What machines may do in AWS: a role with exactly the permissions that they use, given to them as instance profile.
Kinds of machines that use none have no role at all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.naming import physical_name

_LONGEST_ROLE = 64
_VERSION = "2012-10-17"


@dataclass(frozen=True, kw_only=True)
class IdentityArgs:
    """`key` says whose role it is, for names; `statements` are those of an IAM policy, one at least."""

    prefix: str
    key: str
    statements: tuple[Mapping[str, Any], ...]
    provider: aws.Provider


class Identity(Component):
    """A role and its instance profile."""

    token = "flotilla:aws:Identity"
    declares = ("profile_name", "role_name", "role_arn")

    profile_name: pulumi.Output[str]
    role_name: pulumi.Output[str]
    role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        physical = physical_name(args.prefix, args.key, limit=_LONGEST_ROLE)
        role = aws.iam.Role(
            self.child_name("role"),
            name=physical,
            assume_role_policy=_policy(
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ),
            opts=self.child(provider=args.provider),
        )
        policy = aws.iam.RolePolicy(
            self.child_name("policy"),
            name="flotilla",
            role=role.name,
            policy=_policy(*args.statements),
            opts=self.child(provider=args.provider),
        )
        # By way of its permissions, so that no machine boots before they are there.
        profile = aws.iam.InstanceProfile(
            self.child_name("profile"), name=physical, role=policy.role, opts=self.child(provider=args.provider)
        )
        self.publish(profile_name=profile.name, role_name=role.name, role_arn=role.arn)


def _policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": _VERSION, "Statement": list(statements)}, sort_keys=True)
