"""What the aws provider would add: outputs by resource type ((logical name, inputs) → outputs), and answers of its
functions by token (arguments → result)."""

import zlib
from collections.abc import Callable
from typing import Any

AMI = "ami-0123456789abcdef0"
"""What the public parameter of Systems Manager holds today."""


def public_address(name: str) -> str:
    """An address from a documentation network that belongs to a name."""
    return f"203.0.113.{1 + zlib.crc32(name.encode()) % 254}"


def _arn(service: str, name: str) -> dict[str, str]:
    return {"arn": f"arn:aws:{service}:us-east-1:123456789012:{name}"}


AWS: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
    "aws:ec2/instance:Instance": lambda name, inputs: {"publicIp": public_address(name)},
    "aws:autoscaling/group:Group": lambda name, inputs: _arn("autoscaling", name),
    "aws:ec2/launchTemplate:LaunchTemplate": lambda name, inputs: {"latestVersion": 1},
    "aws:ec2/eip:Eip": lambda name, inputs: {"publicIp": public_address(name)},
    "aws:iam/role:Role": lambda name, inputs: _arn("iam", name),
    "aws:lb/loadBalancer:LoadBalancer": lambda name, inputs: {
        **_arn("elasticloadbalancing", name),
        "dnsName": f"{name}.elb.us-east-1.amazonaws.com",
    },
    "aws:lb/targetGroup:TargetGroup": lambda name, inputs: _arn("elasticloadbalancing", name),
}

INVOKES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "aws:ec2/getAmi:getAmi": lambda arguments: {**arguments, "id": AMI, "rootDeviceName": "/dev/xvda"},
    "aws:ssm/getParameter:getParameter": lambda arguments: {**arguments, "insecureValue": AMI, "value": AMI},
}
