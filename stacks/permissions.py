"""What whoever deploys a stack on AWS has to be allowed, and no more: the actions that each resource of the program
needs over its life, rendered as IAM policies in `docs/policies`.

The table says what the AWS provider asks of the API to create, read, change, tag and delete a resource as this program
declares it; a test holds it against every type that the program registers."""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from components.clouds.aws.names import partition
from stacks.cloud_settings import AwsSettings
from stacks.load import PROJECT_FOLDER
from stacks.plan import PROJECT

LONGEST_POLICY = 6_144
"""Characters of a managed policy, white space not counted.

Source: IAM user guide, "IAM and AWS STS quotas".
"""

POLICY_FOLDER = PROJECT_FOLDER / "docs" / "policies"
POLICY_NAME = "aws-deployer"
_VERSION = "2012-10-17"

STACK_TAG = "flotilla.stack"
"""The tag that the cloud gives everything; its value begins with the project's name."""

_TAGS = ("ec2:CreateTags", "ec2:DeleteTags")
_RULES = (
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:ModifySecurityGroupRules",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:RevokeSecurityGroupIngress",
)
_BALANCER_TAGS = (
    "elasticloadbalancing:AddTags",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:RemoveTags",
)


def _of(service: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{service}:{name}" for name in names)


ACTIONS: Mapping[str, tuple[str, ...]] = {
    "aws:ec2/vpc:Vpc": (
        *_of("ec2", "CreateVpc", "DeleteVpc", "DescribeVpcs", "DescribeVpcAttribute", "ModifyVpcAttribute"),
        # The provider reads what a VPC is born with: its network ACL, route table and security group.
        *_of("ec2", "DescribeNetworkAcls", "DescribeRouteTables", "DescribeSecurityGroups"),
        *_TAGS,
    ),
    "aws:ec2/subnet:Subnet": (
        *_of("ec2", "CreateSubnet", "DeleteSubnet", "DescribeSubnets", "ModifySubnetAttribute"),
        *_of("ec2", "DescribeNetworkInterfaces"),
        *_TAGS,
    ),
    "aws:ec2/subnetCidrReservation:SubnetCidrReservation": _of(
        "ec2", "CreateSubnetCidrReservation", "GetSubnetCidrReservations", "DeleteSubnetCidrReservation"
    ),
    "aws:ec2/internetGateway:InternetGateway": (
        *_of("ec2", "CreateInternetGateway", "DeleteInternetGateway", "DescribeInternetGateways"),
        *_of("ec2", "AttachInternetGateway", "DetachInternetGateway"),
        *_TAGS,
    ),
    "aws:ec2/eip:Eip": (
        *_of("ec2", "AllocateAddress", "ReleaseAddress", "DescribeAddresses", "DescribeAddressesAttribute"),
        *_of("ec2", "AssociateAddress", "DisassociateAddress"),
        *_TAGS,
    ),
    "aws:ec2/natGateway:NatGateway": (
        *_of("ec2", "CreateNatGateway", "DeleteNatGateway", "DescribeNatGateways"),
        *_TAGS,
    ),
    "aws:ec2/routeTable:RouteTable": (
        *_of("ec2", "CreateRouteTable", "DeleteRouteTable", "DescribeRouteTables", "DisassociateRouteTable"),
        *_TAGS,
    ),
    "aws:ec2/route:Route": _of("ec2", "CreateRoute", "ReplaceRoute", "DeleteRoute", "DescribeRouteTables"),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _of(
        "ec2", "AssociateRouteTable", "ReplaceRouteTableAssociation", "DisassociateRouteTable", "DescribeRouteTables"
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": (
        *_of("ec2", "CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints", "DescribeVpcEndpoints"),
        *_of("ec2", "DescribePrefixLists"),
        *_TAGS,
    ),
    "aws:ec2/securityGroup:SecurityGroup": (
        *_of("ec2", "CreateSecurityGroup", "DeleteSecurityGroup", "DescribeSecurityGroups"),
        # EC2 lets everything out of a new group, and the provider takes that rule away.
        *_of("ec2", "RevokeSecurityGroupEgress", "DescribeNetworkInterfaces"),
        *_TAGS,
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        *_of("ec2", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"),
        *_of("ec2", "ModifySecurityGroupRules", "DescribeSecurityGroupRules"),
        *_TAGS,
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (
        *_of("ec2", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress"),
        *_of("ec2", "ModifySecurityGroupRules", "DescribeSecurityGroupRules"),
        *_TAGS,
    ),
    "aws:ec2/keyPair:KeyPair": (*_of("ec2", "ImportKeyPair", "DeleteKeyPair", "DescribeKeyPairs"), *_TAGS),
    "aws:ec2/networkInterface:NetworkInterface": (
        *_of("ec2", "CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces"),
        *_of("ec2", "ModifyNetworkInterfaceAttribute", "DetachNetworkInterface"),
        *_TAGS,
    ),
    "aws:ec2/instance:Instance": (
        *_of("ec2", "RunInstances", "StartInstances", "StopInstances", "TerminateInstances"),
        *_of("ec2", "DescribeInstances", "DescribeInstanceAttribute", "DescribeInstanceTypes"),
        *_of("ec2", "DescribeInstanceCreditSpecifications", "DescribeImages", "DescribeVolumes"),
        *_of("ec2", "ModifyInstanceAttribute", "ModifyInstanceMetadataOptions", "ModifyNetworkInterfaceAttribute"),
        # A larger root disk.
        *_of("ec2", "ModifyVolume", "DescribeVolumesModifications"),
        *_of("ec2", "DescribeIamInstanceProfileAssociations", "AssociateIamInstanceProfile"),
        *_of("ec2", "ReplaceIamInstanceProfileAssociation", "DisassociateIamInstanceProfile"),
        "iam:PassRole",
        *_TAGS,
    ),
    "aws:ebs/volume:Volume": (
        *_of("ec2", "CreateVolume", "ModifyVolume", "DeleteVolume", "DescribeVolumes", "DescribeVolumesModifications"),
        *_TAGS,
    ),
    "aws:ec2/volumeAttachment:VolumeAttachment": _of(
        "ec2", "AttachVolume", "DetachVolume", "DescribeVolumes", "DescribeInstances"
    ),
    "aws:iam/role:Role": (
        *_of("iam", "CreateRole", "GetRole", "UpdateRole", "UpdateRoleDescription", "UpdateAssumeRolePolicy"),
        *_of("iam", "DeleteRole", "TagRole", "UntagRole"),
        *_of("iam", "ListRolePolicies", "GetRolePolicy", "ListAttachedRolePolicies", "ListInstanceProfilesForRole"),
    ),
    "aws:iam/rolePolicy:RolePolicy": _of("iam", "PutRolePolicy", "GetRolePolicy", "DeleteRolePolicy"),
    "aws:iam/instanceProfile:InstanceProfile": (
        *_of("iam", "CreateInstanceProfile", "GetInstanceProfile", "DeleteInstanceProfile"),
        *_of("iam", "AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile"),
        *_of("iam", "TagInstanceProfile", "UntagInstanceProfile", "GetRole", "PassRole"),
    ),
    "aws:ssm/parameter:Parameter": (
        *_of("ssm", "PutParameter", "GetParameter", "DeleteParameter", "DescribeParameters"),
        *_of("ssm", "AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource"),
    ),
    "aws:ssm/getParameter:getParameter": _of("ssm", "GetParameter"),
    "aws:ec2/getAmi:getAmi": _of("ec2", "DescribeImages"),
    "aws:ec2/launchTemplate:LaunchTemplate": (
        *_of("ec2", "CreateLaunchTemplate", "CreateLaunchTemplateVersion", "ModifyLaunchTemplate"),
        *_of("ec2", "DeleteLaunchTemplate", "DescribeLaunchTemplates", "DescribeLaunchTemplateVersions"),
        # The template names the parameter of its image.
        "ssm:GetParameters",
        *_TAGS,
    ),
    "aws:autoscaling/group:Group": (
        *_of("autoscaling", "CreateAutoScalingGroup", "UpdateAutoScalingGroup", "DeleteAutoScalingGroup"),
        *_of("autoscaling", "DescribeAutoScalingGroups", "DescribeScalingActivities"),
        *_of("autoscaling", "CreateOrUpdateTags", "DeleteTags"),
        *_of("autoscaling", "PutLifecycleHook", "StartInstanceRefresh", "CancelInstanceRefresh"),
        "autoscaling:DescribeInstanceRefreshes",
        # Whoever makes a group has to be allowed what its launch template does.
        *_of("ec2", "RunInstances", "CreateTags"),
        *_of("iam", "PassRole", "CreateServiceLinkedRole"),
        "ssm:GetParameters",
    ),
    "aws:autoscaling/lifecycleHook:LifecycleHook": _of(
        "autoscaling", "PutLifecycleHook", "DeleteLifecycleHook", "DescribeLifecycleHooks"
    ),
    "aws:autoscaling/attachment:Attachment": _of(
        "autoscaling",
        "AttachLoadBalancerTargetGroups",
        "DetachLoadBalancerTargetGroups",
        "DescribeAutoScalingGroups",
    ),
    "aws:lb/loadBalancer:LoadBalancer": (
        *_of("elasticloadbalancing", "CreateLoadBalancer", "DeleteLoadBalancer", "DescribeLoadBalancers"),
        *_of("elasticloadbalancing", "DescribeLoadBalancerAttributes", "ModifyLoadBalancerAttributes"),
        *_of("elasticloadbalancing", "DescribeCapacityReservation", "SetSecurityGroups", "SetSubnets"),
        # What Elastic Load Balancing looks up in the caller's name, and what the provider waits for at the end.
        *_of("ec2", "DescribeAccountAttributes", "DescribeInternetGateways", "DescribeSecurityGroups"),
        *_of("ec2", "DescribeSubnets", "DescribeVpcs", "DescribeNetworkInterfaces"),
        "iam:CreateServiceLinkedRole",
        *_BALANCER_TAGS,
    ),
    "aws:lb/targetGroup:TargetGroup": (
        *_of("elasticloadbalancing", "CreateTargetGroup", "ModifyTargetGroup", "DeleteTargetGroup"),
        *_of("elasticloadbalancing", "DescribeTargetGroups", "DescribeTargetGroupAttributes"),
        *_of("elasticloadbalancing", "ModifyTargetGroupAttributes"),
        *_BALANCER_TAGS,
    ),
    "aws:lb/listener:Listener": (
        *_of("elasticloadbalancing", "CreateListener", "ModifyListener", "DeleteListener", "DescribeListeners"),
        *_of("elasticloadbalancing", "DescribeListenerAttributes", "ModifyListenerAttributes"),
        *_BALANCER_TAGS,
    ),
    "aws:lb/targetGroupAttachment:TargetGroupAttachment": (
        *_of("elasticloadbalancing", "RegisterTargets", "DeregisterTargets", "DescribeTargetHealth"),
        *_of("ec2", "DescribeInstances"),
    ),
}
"""What a resource needs, by its type token, and what an invoke needs, by its function's."""

SESSION_ACTIONS = _of("ssm", "StartSession", "ResumeSession", "TerminateSession")
"""What `ssh.access: session` needs beside: SSH goes through sessions of Systems Manager, that of the program too."""

Condition = Mapping[str, Mapping[str, str | list[str]]]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What some actions may be done to. Texts may hold PARTITION, REGION and PREFIX. An action may be in two scopes;
    one that is in none is allowed on everything in the region."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    condition: Condition = field(default_factory=dict[str, Mapping[str, str | list[str]]])


_IN_REGION: Condition = {"StringEquals": {"aws:RequestedRegion": "REGION"}}
_OURS: Condition = {**_IN_REGION, "StringLike": {f"aws:ResourceTag/{STACK_TAG}": "PREFIX*"}}
_ROLES = "arn:PARTITION:iam::*:role/PREFIX*"
_SSM = "arn:PARTITION:ssm:REGION"
_BALANCERS = "arn:PARTITION:elasticloadbalancing:REGION:*"

SCOPES: tuple[Scope, ...] = (
    Scope(
        sid="Ec2OfTheStack",
        # Only actions on things that have their tags from the call that makes them.
        actions=(
            *_of("ec2", "StartInstances", "StopInstances", "TerminateInstances"),
            *_of("ec2", "ModifyInstanceAttribute", "ModifyInstanceMetadataOptions"),
            *_of("ec2", "AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation"),
            *_of("ec2", "DisassociateIamInstanceProfile"),
            *_of("ec2", "AttachVolume", "DetachVolume", "DeleteVolume"),
            *_of("ec2", "AssociateAddress", "DisassociateAddress", "ReleaseAddress"),
            *_of("ec2", "DetachNetworkInterface", "DeleteNetworkInterface"),
            *_of("ec2", "CreateRoute", "ReplaceRoute", "DeleteRoute", "DeleteRouteTable"),
            *_of("ec2", "AssociateRouteTable", "ReplaceRouteTableAssociation", "DisassociateRouteTable"),
            *_of("ec2", "ModifyVpcAttribute", "DeleteVpc", "ModifySubnetAttribute", "DeleteSubnet"),
            *_of("ec2", "AttachInternetGateway", "DetachInternetGateway", "DeleteInternetGateway", "DeleteNatGateway"),
            *_of("ec2", "ModifyVpcEndpoint", "DeleteVpcEndpoints", "DeleteSecurityGroup", "DeleteKeyPair"),
            *_of("ec2", "CreateLaunchTemplateVersion", "ModifyLaunchTemplate", "DeleteLaunchTemplate"),
            *_TAGS,
        ),
        condition=_OURS,
    ),
    Scope(
        sid="Ec2RulesOfGroupsOfTheStack",
        actions=_RULES,
        resources=("arn:PARTITION:ec2:REGION:*:security-group/*",),
        condition=_OURS,
    ),
    Scope(
        sid="Ec2Rules",
        # Rules that EC2 adds by itself have no tags; the group of a rule is what decides.
        actions=_RULES,
        resources=("arn:PARTITION:ec2:REGION:*:security-group-rule/*",),
    ),
    Scope(
        sid="Ec2TagsAtBirth",
        actions=("ec2:CreateTags",),
        condition={**_IN_REGION, "Null": {"ec2:CreateAction": "false"}},
    ),
    Scope(
        sid="Ec2TagsOfRootDisks",
        # The provider tags a root disk after its machine is made.
        actions=("ec2:CreateTags",),
        resources=("arn:PARTITION:ec2:REGION:*:volume/*",),
        condition={"StringLike": {f"aws:RequestTag/{STACK_TAG}": "PREFIX*"}},
    ),
    Scope(
        sid="Roles",
        actions=(
            *_of("iam", "CreateRole", "GetRole", "UpdateRole", "UpdateRoleDescription", "UpdateAssumeRolePolicy"),
            *_of("iam", "DeleteRole", "TagRole", "UntagRole", "PutRolePolicy", "GetRolePolicy", "DeleteRolePolicy"),
            *_of("iam", "ListRolePolicies", "ListAttachedRolePolicies", "ListInstanceProfilesForRole"),
        ),
        resources=(_ROLES,),
    ),
    Scope(
        sid="RolesOfMachinesAlone",
        actions=("iam:PassRole",),
        resources=(_ROLES,),
        condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    ),
    Scope(
        sid="RolesOfServices",
        # AWS's own, made with the first load balancer or autoscaling group of an account.
        actions=("iam:CreateServiceLinkedRole",),
        resources=("arn:PARTITION:iam::*:role/aws-service-role/*",),
        condition={
            "StringEquals": {"iam:AWSServiceName": ["autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com"]}
        },
    ),
    Scope(
        sid="InstanceProfiles",
        actions=(
            *_of("iam", "CreateInstanceProfile", "GetInstanceProfile", "DeleteInstanceProfile"),
            *_of("iam", "AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile"),
            *_of("iam", "TagInstanceProfile", "UntagInstanceProfile"),
        ),
        resources=("arn:PARTITION:iam::*:instance-profile/PREFIX*",),
    ),
    Scope(
        sid="Parameters",
        actions=(
            *_of("ssm", "PutParameter", "GetParameter", "DeleteParameter"),
            *_of("ssm", "AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource"),
        ),
        resources=(f"{_SSM}:*:parameter/PREFIX*",),
    ),
    Scope(
        sid="PublicParameters",
        actions=_of("ssm", "GetParameter", "GetParameters"),
        resources=(f"{_SSM}::parameter/aws/service/*",),
    ),
    Scope(
        sid="Sessions",
        actions=("ssm:StartSession",),
        resources=("arn:PARTITION:ec2:REGION:*:instance/*",),
        condition={
            "StringLike": {f"ssm:resourceTag/{STACK_TAG}": "PREFIX*"},
            # The document is looked at as well, even where none is named.
            "BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"},
        },
    ),
    Scope(
        sid="SessionsAreSsh",
        actions=("ssm:StartSession",),
        resources=(f"{_SSM}::document/AWS-StartSSHSession",),
    ),
    Scope(
        sid="SessionsOfOneself",
        actions=_of("ssm", "ResumeSession", "TerminateSession"),
        resources=(f"{_SSM}:*:session/${{aws:userid}}-*",),
    ),
    Scope(
        sid="Groups",
        actions=(
            *_of("autoscaling", "CreateAutoScalingGroup", "UpdateAutoScalingGroup", "DeleteAutoScalingGroup"),
            *_of("autoscaling", "CreateOrUpdateTags", "DeleteTags", "PutLifecycleHook", "DeleteLifecycleHook"),
            *_of("autoscaling", "StartInstanceRefresh", "CancelInstanceRefresh"),
            *_of("autoscaling", "AttachLoadBalancerTargetGroups", "DetachLoadBalancerTargetGroups"),
        ),
        resources=("arn:PARTITION:autoscaling:REGION:*:autoScalingGroup:*:autoScalingGroupName/PREFIX*",),
    ),
    Scope(
        sid="LoadBalancers",
        actions=(
            *_of("elasticloadbalancing", "CreateLoadBalancer", "DeleteLoadBalancer", "ModifyLoadBalancerAttributes"),
            *_of("elasticloadbalancing", "SetSecurityGroups", "SetSubnets", "AddTags", "RemoveTags"),
            *_of("elasticloadbalancing", "CreateTargetGroup", "ModifyTargetGroup", "DeleteTargetGroup"),
            *_of("elasticloadbalancing", "ModifyTargetGroupAttributes", "RegisterTargets", "DeregisterTargets"),
            *_of("elasticloadbalancing", "CreateListener", "ModifyListener", "DeleteListener"),
            *_of("elasticloadbalancing", "ModifyListenerAttributes"),
        ),
        resources=(
            f"{_BALANCERS}:loadbalancer/net/PREFIX*",
            f"{_BALANCERS}:listener/net/PREFIX*",
            f"{_BALANCERS}:targetgroup/PREFIX*",
        ),
    ),
)

Statement = dict[str, Any]
_READS = ("Describe", "Get", "List")


def main() -> int:
    """Write the policies, and take away those of an earlier run."""
    parser = argparse.ArgumentParser(prog="stacks.permissions", description=__doc__)
    parser.add_argument("--region", default=AwsSettings().region, help="the one region that they are for")
    parser.add_argument("--folder", type=Path, default=POLICY_FOLDER)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for earlier in arguments.folder.glob(f"{POLICY_NAME}*.json"):
        earlier.unlink()
    for name, text in policies(arguments.region).items():
        (arguments.folder / name).write_text(text)
    return 0


def policies(region: str) -> dict[str, str]:
    """The policies by the names of their files: EC2 fills most of one."""
    everything = statements(region)
    parts = ([one for one in everything if _is_of_ec2(one)], [one for one in everything if not _is_of_ec2(one)])
    return {
        f"{POLICY_NAME}-{number}.json": json.dumps({"Version": _VERSION, "Statement": part}, indent=2) + "\n"
        for number, part in enumerate(parts, 1)
    }


def _is_of_ec2(statement: Statement) -> bool:
    return statement["Action"][0].startswith("ec2:")


def policy_length(document: object) -> int:
    """Characters as IAM counts them."""
    return len(json.dumps(document, separators=(",", ":")))


def statements(region: str) -> list[Statement]:
    """All that is allowed, by service and scope, always in the same order."""
    needed = {*chain.from_iterable(ACTIONS.values()), *SESSION_ACTIONS}
    scoped = set(chain.from_iterable(scope.actions for scope in SCOPES))
    everywhere = (
        Scope(sid=sid, actions=actions, condition=_IN_REGION) for sid, actions in _by_service(needed - scoped).items()
    )
    return sorted((_filled(scope, region) for scope in (*everywhere, *SCOPES)), key=lambda one: one["Sid"])


def _by_service(actions: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """`Ec2Read` and `Ec2` with the actions of each."""
    groups: dict[str, tuple[str, ...]] = {}
    for action in sorted(actions):
        service, _, name = action.partition(":")
        sid = service.capitalize() + ("Read" if name.startswith(_READS) else "")
        groups[sid] = (*groups.get(sid, ()), action)
    return groups


def _filled(scope: Scope, region: str) -> Statement:
    """The statement of a scope, with the words of a region in it."""
    words = {"PARTITION": partition(region), "REGION": region, "PREFIX": f"{PROJECT}-"}
    text = json.dumps({"Resource": scope.resources, **({"Condition": scope.condition} if scope.condition else {})})
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return {"Sid": scope.sid, "Effect": "Allow", "Action": sorted(set(scope.actions)), **json.loads(text)}


if __name__ == "__main__":
    sys.exit(main())
