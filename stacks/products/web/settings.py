"""The vocabulary of the page in a stack file (M50)."""

from pydantic import Field

from stacks.section import Port, Replicas, Section, Size


class WebSettings(Section):
    """nginx with a page that shows which task answered (M50)."""

    replicas: Replicas = 3
    port: Port = Field(default=8080, description="Published port.")
    memory: Size = "64m"
