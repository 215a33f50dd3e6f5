"""Security groups: the one port table rendered as Neutron's rules, from group to group wherever both ends are ours."""

from collections.abc import Iterator
from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

from components.component import Component
from components.naming import physical_name
from components.plan.ports import ANYWHERE, Rule, groups_of, sources_of


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """`rules` is the port table; `admin_networks` are the CIDRs that its source `admin` stands for."""

    prefix: str
    rules: tuple[Rule, ...]
    admin_networks: tuple[str, ...]
    provider: openstack.Provider


class Firewall(Component):
    """A security group for each kind of machine in the port table, and the rules between them.

    `groups` has the groups' ids by kind.
    """

    token = "flotilla:openstack:Firewall"
    declares = ("groups", "ingress", "egress")

    groups: dict[str, pulumi.Output[str]]
    ingress: dict[str, openstack.networking.SecGroupRule]
    egress: dict[str, openstack.networking.SecGroupRule]

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        self._groups = {key: self._group(key) for key in groups_of(args.rules)}
        egress = {key: self._egress(key) for key in self._groups}
        self.publish(
            # Through the rule: a machine without a way out would boot into an error of its package manager.
            groups={key: rule.security_group_id for key, rule in egress.items()},
            ingress={key: resource for rule in args.rules for key, resource in self._ingress(rule)},
            egress=egress,
        )

    def of(self, *kinds: str) -> tuple[pulumi.Output[str], ...]:
        """Ids of the groups of a machine of these kinds; one that no rule names has no group."""
        return tuple(self.groups[kind] for kind in kinds if kind in self.groups)

    def _group(self, key: str) -> openstack.networking.SecGroup:
        return openstack.networking.SecGroup(
            self.child_name("group", key),
            name=physical_name(self._args.prefix, key),
            description=f"Flotilla: {key}",
            # What is open is in the table, and nothing else: Neutron's own rules let IPv6 out as well.
            delete_default_rules=True,
            opts=self.child(provider=self._args.provider),
        )

    def _egress(self, key: str) -> openstack.networking.SecGroupRule:
        return openstack.networking.SecGroupRule(
            self.child_name("egress", key),
            security_group_id=self._groups[key].id,
            direction="egress",
            ethertype="IPv4",
            remote_ip_prefix=ANYWHERE,
            description="packages, images and the other machines",
            opts=self._rule_options(),
        )

    def _ingress(self, rule: Rule) -> Iterator[tuple[str, openstack.networking.SecGroupRule]]:
        for key, network in sources_of(rule, self._args.admin_networks):
            yield key, self._rule(rule, key, network)

    def _rule(self, rule: Rule, key: str, network: str | None) -> openstack.networking.SecGroupRule:
        # ESP has no ports: Neutron refuses a range with it.
        ports = rule.protocol != "esp"
        return openstack.networking.SecGroupRule(
            self.child_name("rule", key),
            security_group_id=self._groups[rule.target].id,
            direction="ingress",
            ethertype="IPv4",
            protocol=rule.protocol,
            port_range_min=rule.first if ports else None,
            port_range_max=rule.last if ports else None,
            remote_group_id=self._groups[rule.source].id if network is None else None,
            remote_ip_prefix=network,
            description=rule.why,
            opts=self._rule_options(),
        )

    def _rule_options(self) -> pulumi.ResourceOptions:
        # Neutron takes no second rule that differs from the first in its description alone.
        return self.child(provider=self._args.provider, delete_before_replace=True)
