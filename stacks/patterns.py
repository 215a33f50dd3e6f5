"""Forms that texts in the settings have to have, each with the words for a user whose text has another."""

NODE_NAME = r"^(manager|worker)-[1-9][0-9]*$"
IMAGE_BY_DIGEST = r"^[^@\s]+@sha256:[0-9a-f]{64}$"
DOCKER_HOST = r"^(unix|tcp|ssh)://.+"
IPV4_ADDRESS = r"^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)$"
NOT_EMPTY = r"\S"
VOLUME_NAME = r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$"
TYPE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
ZONE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"
REGION = r"^[a-z]{2}(-[a-z]+)+-[1-9]$"
PARAMETER_NAME = r"^/[A-Za-z0-9_./-]+$"
AMI = r"^ami-[0-9a-f]{8}([0-9a-f]{9})?$"
USER_NAME = r"^[a-z_][a-z0-9_-]{0,31}$"
COMPOSE_NAME = r"^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$"
COMPOSE_IMAGE = r"^([a-z0-9][a-z0-9._-]*|[^@\s]+@sha256:[0-9a-f]{64})$"
COMPOSE_TARGET = r"^[A-Za-z0-9][A-Za-z0-9._-]*:[0-9]{1,5}$"
WEB_URL = r"^https?://[^\s/]+(/\S*)?$"
URL_PATH = r"^/\S*$"
REGISTRY_USER = r"^[a-z0-9][a-z0-9._-]{0,31}$"
HOST = (
    r"^(((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)"
    r"|([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?)$"
)
REGISTRY_ADDRESS = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$"
CLASS_NAME = r"^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$"

EXAMPLES = {
    NODE_NAME: "use a node's name, such as manager-1 or worker-2",
    IMAGE_BY_DIGEST: "name the image by digest: repository@sha256: and 64 hexadecimal digits",
    DOCKER_HOST: "use unix:///path, tcp://address:port or ssh://user@address",
    IPV4_ADDRESS: "use an IPv4 address, such as 127.0.0.1",
    NOT_EMPTY: "use some text",
    VOLUME_NAME: "use up to 32 small letters, digits and - between them, such as spark",
    TYPE_NAME: "use the name of a type, such as t3.medium or m1.small",
    ZONE_NAME: "use the name of an availability zone, such as us-east-1a or nova",
    REGION: "use a region, such as us-east-1 or eu-central-1",
    PARAMETER_NAME: "use the full name of a parameter, which begins with /",
    AMI: "use ami- and 8 or 17 hexadecimal digits",
    USER_NAME: "use the name of a user, such as admin",
    COMPOSE_NAME: "use up to 32 small letters, digits and - between them, a letter first, such as blog",
    COMPOSE_IMAGE: "name an image of the stack, or one by digest: repository@sha256: and 64 hexadecimal digits",
    COMPOSE_TARGET: "name a service and its port, such as wordpress:80",
    WEB_URL: "use a URL such as http://192.0.2.10:9090/",
    URL_PATH: "use a path that begins with /, such as /healthz",
    REGISTRY_USER: "use up to 32 small letters, digits and . _ -, a letter or digit first, such as flotilla",
    HOST: "use a host name or an IPv4 address, without a port, such as registry.example.org",
    REGISTRY_ADDRESS: "use host or host:port, without https:// before it",
    CLASS_NAME: "use the full name of a class, such as org.example.Main",
}
