"""Names and texts as AWS's APIs take them. Pure."""

import re

from components.naming import physical_name

_LONGEST_BALANCER = 32
_LONGEST_DESCRIPTION = 255
_NOT_IN_BALANCER = re.compile(r"[^A-Za-z0-9-]")
_NOT_IN_DESCRIPTION = re.compile(r"[^A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]")


def balancer_name(*keys: str) -> str:
    """The name of a load balancer or a target group: 32 letters, digits and hyphens at most.

    Source: the Elastic Load Balancing API, CreateLoadBalancer and CreateTargetGroup.
    """
    return physical_name(*(_NOT_IN_BALANCER.sub("-", key) for key in keys), limit=_LONGEST_BALANCER)


def rule_description(why: str) -> str:
    """The description of a rule: what EC2 does not take in one is left out.

    Source: the EC2 API, `Description` of IpRange.
    """
    return _NOT_IN_DESCRIPTION.sub("", why)[:_LONGEST_DESCRIPTION]


def partition(region: str) -> str:
    """The part of AWS that a region is in, as ARNs name it."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def dns_suffix(region: str) -> str:
    """What the host names of a region's services end in."""
    return "amazonaws.com.cn" if partition(region) == "aws-cn" else "amazonaws.com"
