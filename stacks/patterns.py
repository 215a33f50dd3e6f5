"""Forms that texts in the settings have to have, each with the words for a user whose text has another."""

NODE_NAME = r"^(manager|worker)-[1-9][0-9]*$"
IMAGE_BY_DIGEST = r"^[^@\s]+@sha256:[0-9a-f]{64}$"
DOCKER_HOST = r"^(unix|tcp|ssh)://.+"
IPV4_ADDRESS = r"^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)$"
NOT_EMPTY = r"\S"

EXAMPLES = {
    NODE_NAME: "use a node's name, such as manager-1 or worker-2",
    IMAGE_BY_DIGEST: "name the image by digest: repository@sha256: and 64 hexadecimal digits",
    DOCKER_HOST: "use unix:///path, tcp://address:port or ssh://user@address",
    IPV4_ADDRESS: "use an IPv4 address, such as 127.0.0.1",
    NOT_EMPTY: "use some text",
}
