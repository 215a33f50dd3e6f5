"""Security groups as a rendering of the one port table: who is a group is let in as a group, never by its addresses;
CIDRs stand only for administrators and the public (M90, M91, E6)."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.clouds.aws.names import rule_description
from components.component import Component
from components.naming import physical_name
from components.plan.ports import ANYWHERE, ESP, Rule, groups_of, sources_of

_ALL_PROTOCOLS = "-1"
_LONGEST_GROUP = 255


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """`rules` is the port table; `admin_networks` are the CIDRs that its source `admin` stands for."""

    prefix: str
    vpc_id: pulumi.Input[str]
    rules: tuple[Rule, ...]
    admin_networks: tuple[str, ...]
    provider: aws.Provider


class Firewall(Component):
    """One security group for each kind of machine and one for all nodes; each rule is a resource of its own, so that
    changing one touches no other. `group_ids` are given by way of what lets their members out."""

    token = "flotilla:aws:Firewall"
    declares = ("group_ids", "rule_ids", "vpc_id")

    group_ids: dict[str, pulumi.Output[str]]
    rule_ids: dict[str, pulumi.Output[str]]
    vpc_id: pulumi.Input[str]

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        groups = {key: self._group(key) for key in groups_of(args.rules)}
        rules = {
            key: self._rule(key, rule, network, groups)
            for rule in args.rules
            for key, network in sources_of(rule, args.admin_networks)
        }
        self.publish(
            group_ids={key: self._egress(key, group) for key, group in groups.items()},
            rule_ids={key: rule.id for key, rule in rules.items()},
            vpc_id=args.vpc_id,
        )

    def members(self, *keys: str) -> tuple[pulumi.Output[str], ...]:
        """Ids of the groups that a machine is in; keys that the table does not speak of have none."""
        return tuple(self.group_ids[key] for key in keys if key in self.group_ids)

    def _group(self, key: str) -> aws.ec2.SecurityGroup:
        name = physical_name(self._args.prefix, key, limit=_LONGEST_GROUP)
        return aws.ec2.SecurityGroup(
            self.child_name("group", key),
            name=name,
            # It cannot be changed in place, and a group that is replaced takes its members along.
            description=f"Flotilla: {key}",
            vpc_id=self._args.vpc_id,
            tags={"Name": name},
            opts=self.child(provider=self._args.provider),
        )

    def _rule(
        self, key: str, rule: Rule, network: str | None, groups: dict[str, aws.ec2.SecurityGroup]
    ) -> aws.vpc.SecurityGroupIngressRule:
        esp = rule.protocol == "esp"
        return aws.vpc.SecurityGroupIngressRule(
            self.child_name("rule", key),
            security_group_id=groups[rule.target].id,
            ip_protocol=str(ESP) if esp else rule.protocol,
            from_port=None if esp else rule.first,
            to_port=None if esp else rule.last,
            cidr_ipv4=network,
            referenced_security_group_id=groups[rule.source].id if network is None else None,
            description=rule_description(rule.why),
            opts=self.child(provider=self._args.provider),
        )

    def _egress(self, key: str, group: aws.ec2.SecurityGroup) -> pulumi.Output[str]:
        """The group, by way of what lets its members out: their first boot installs packages."""
        rule = aws.vpc.SecurityGroupEgressRule(
            self.child_name("egress", key),
            security_group_id=group.id,
            ip_protocol=_ALL_PROTOCOLS,
            cidr_ipv4=ANYWHERE,
            description="out to everywhere",
            opts=self.child(provider=self._args.provider),
        )
        return rule.security_group_id
