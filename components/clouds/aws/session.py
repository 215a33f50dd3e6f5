"""SSH by way of AWS Systems Manager: no port is open, and whoever may start sessions in IAM gets to sshd.

The machine needs Amazon's agent, which is neither in Debian's images nor in its archive. Where an image does not bring
it, the first boot installs Amazon's own package from the bucket of the region (over NAT or the S3 endpoint). What comes
is the agent's newest version, vouched for by TLS alone; who wants another names an image that has the agent in it."""

from collections.abc import Mapping
from typing import Any

from components.clouds.aws.names import dns_suffix

SESSION_PACKAGES = ("curl",)

SESSION_STATEMENTS: tuple[Mapping[str, Any], ...] = (
    {
        "Effect": "Allow",
        "Action": [
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ],
        "Resource": "*",
    },
)
"""What the agent needs for sessions. AWS's own policy for it also reads every parameter of the account.

Source: AWS Systems Manager's user guide, "Create a custom IAM role for Session Manager". None of the actions knows
single resources but the data channels, whose names are those of sessions to come.
"""

_PACKAGE_FILE = "/run/amazon-ssm-agent.deb"


def session_commands(region: str) -> tuple[str, ...]:
    """Commands of a machine's first boot after which it answers sessions.

    Source: AWS Systems Manager's user guide, "Manually installing SSM Agent on Debian Server instances".
    """
    bucket = f"https://s3.{region}.{dns_suffix(region)}/amazon-ssm-{region}"
    package = f"{bucket}/latest/debian_$(dpkg --print-architecture)/amazon-ssm-agent.deb"
    lines = (
        "if ! systemctl list-unit-files --no-legend '*amazon-ssm-agent*' | grep -q .; then",
        f'  curl --fail --silent --show-error --retry 5 --output {_PACKAGE_FILE} "{package}"',
        f"  dpkg --install {_PACKAGE_FILE}",
        "  systemctl enable --now amazon-ssm-agent",
        "fi",
    )
    return ("\n".join(lines),)


def session_proxy_command(region: str) -> str:
    """ssh's ProxyCommand to an instance by its id, with the AWS CLI and its session manager plugin."""
    words = (
        *("aws", "ssm", "start-session", "--target", "%h", "--document-name", "AWS-StartSSHSession"),
        *("--parameters", "portNumber=%p", "--region", region),
    )
    return " ".join(words)
