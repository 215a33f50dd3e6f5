"""What machines may do in AWS: a role with exactly the permissions that they use, given to them as instance profile.
Kinds of machines that use none have no role at all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.clouds.aws.names import partition
from components.component import Component
from components.naming import physical_name

_LONGEST_ROLE = 64
_VERSION = "2012-10-17"
_SESSION_POLICY = "AmazonSSMManagedInstanceCore"


@dataclass(frozen=True, kw_only=True)
class IdentityArgs:
    """`key` says whose role it is, for names; `statements` are those of an IAM policy; `session` lets AWS Systems
    Manager reach the machines."""

    prefix: str
    key: str
    region: str
    statements: tuple[Mapping[str, Any], ...]
    session: bool
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
        # By way of its permissions, so that no machine boots before they are there.
        permitted = self._session(args, self._statements(args, role.name))
        profile = aws.iam.InstanceProfile(
            self.child_name("profile"), name=physical, role=permitted, opts=self.child(provider=args.provider)
        )
        self.publish(profile_name=profile.name, role_name=role.name, role_arn=role.arn)

    def _statements(self, args: IdentityArgs, role: pulumi.Output[str]) -> pulumi.Output[str]:
        if not args.statements:
            return role
        policy = aws.iam.RolePolicy(
            self.child_name("policy"),
            name="flotilla",
            role=role,
            policy=_policy(*args.statements),
            opts=self.child(provider=args.provider),
        )
        return policy.role

    def _session(self, args: IdentityArgs, role: pulumi.Output[str]) -> pulumi.Output[str]:
        if not args.session:
            return role
        attachment = aws.iam.RolePolicyAttachment(
            self.child_name("session"),
            role=role,
            policy_arn=f"arn:{partition(args.region)}:iam::aws:policy/{_SESSION_POLICY}",
            opts=self.child(provider=args.provider),
        )
        return attachment.role


def _policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": _VERSION, "Statement": list(statements)}, sort_keys=True)
