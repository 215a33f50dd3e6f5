"""The provider plugin `pulumi-resource-swarm`: machines that answer, swarm membership and one-shot jobs."""
