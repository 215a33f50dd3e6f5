"""The pages themselves: what the swarm said, as HTML."""

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

from .markup import Html, document, joined, table, tag, void
from .swarm import Network, Node, Service, Swarm, Task

REFRESH_SECONDS: Final = 10
_MOST_TROUBLES: Final = 20
_GOOD: Final = frozenset(
    {"ready", "active", "leader", "reachable", "running", "complete", "starting", "preparing", "assigned"}
)
_QUIET: Final = frozenset({"", "shutdown", "remove", "pending", "accepted", "allocated", "new", "pause", "drain"})
STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --good: #2e7d32; --bad: #c62828; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem 1.5rem 3rem; }
header { display: flex; justify-content: space-between; align-items: baseline; border-bottom: 1px solid var(--line); }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; } td, th { padding: .3rem .7rem .3rem 0; text-align: left; }
td { border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; } th { font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; } .quiet { opacity: .6; }
form { margin: 0; } form.login { display: grid; gap: .7rem; max-width: 20rem; margin-top: 1.5rem; }
input, button { font: inherit; padding: .35rem .6rem; }
"""


def overview(swarm: Swarm) -> Html:
    """Everything on one page."""
    nodes, services, tasks = swarm.nodes(), swarm.services(), swarm.tasks()
    latest = sorted((task for task in tasks if task.error), key=lambda task: task.since, reverse=True)
    troubles = latest[:_MOST_TROUBLES]
    return _page(
        "Swarm",
        _section("Nodes", _nodes(nodes)),
        _section("Services", _services(services)),
        *((_section("Tasks with an error", _tasks(troubles, identity="troubles")),) if troubles else ()),
        _section("Networks", _networks(swarm.networks())),
        _section("Volumes of services", _volumes(services)),
    )


def service_page(swarm: Swarm, name: str) -> Html | None:
    """A service and its tasks; None when there is none of this name."""
    found = [service for service in swarm.services() if service.name == name]
    if not found:
        return None
    tasks = [task for task in swarm.tasks() if task.service == name]
    return _page(f"Service {name}", _services(found), _section("Tasks", _tasks(tasks, identity="tasks")))


def node_page(swarm: Swarm, name: str) -> Html | None:
    """A node and the tasks that are on it; None when there is none of this name."""
    found = [node for node in swarm.nodes() if node.name == name]
    if not found:
        return None
    tasks = [task for task in swarm.tasks() if task.node == name]
    return _page(f"Node {name}", _nodes(found), _section("Tasks", _tasks(tasks, identity="tasks")))


def failure_page(title: str, message: str) -> Html:
    """What is to be told in place of a page; it tries again by itself."""
    return _page(title, tag("p", message, class_="bad"))


def login_page(message: str = "") -> Html:
    """The form that asks for the password."""
    form = tag(
        "form",
        tag("label", "User ", void("input", name="user", value="admin", autocomplete="username")),
        tag(
            "label",
            "Password ",
            void("input", name="password", type="password", autocomplete="current-password", autofocus=""),
        ),
        tag("button", "Log in"),
        method="post",
        action="/login",
        class_="login",
    )
    said = (tag("p", message, class_="bad", role="alert"),) if message else ()
    return document("Log in", tag("h1", "Swarm"), *said, form)


def _page(title: str, *inside: Html) -> Html:
    leave = tag("form", tag("button", "Log out"), method="post", action="/logout")
    header = tag("header", tag("h1", tag("a", "Swarm", href="/"), "" if title == "Swarm" else f" / {title}"), leave)
    return document(title, header, *inside, refresh_seconds=REFRESH_SECONDS)


def _section(title: str, *inside: Html) -> Html:
    return tag("section", tag("h2", title), *inside)


def _nodes(nodes: Iterable[Node]) -> Html:
    heads = ("node", "role", "state", "availability", "manager", "address", "engine", "labels")
    rows = (
        (
            tag("a", node.name, href=f"/nodes/{quote(node.name, safe='')}"),
            node.role,
            _word(node.state),
            _word(node.availability),
            _word(node.manager),
            node.address,
            node.engine,
            _lines(f"{key}={value}" for key, value in sorted(node.labels.items())),
        )
        for node in nodes
    )
    return table(heads, rows, identity="nodes")


def _services(services: Iterable[Service]) -> Html:
    heads = ("service", "mode", "replicas", "image", "ports", "networks")
    rows = (
        (
            tag("a", service.name, href=f"/services/{quote(service.name, safe='')}"),
            service.mode,
            tag(
                "span",
                f"{service.running}/{service.desired}",
                class_="good" if service.running >= service.desired else "bad",
            ),
            service.image,
            _lines(service.ports),
            _lines(service.networks),
        )
        for service in services
    )
    return table(heads, rows, identity="services")


def _tasks(tasks: Sequence[Task], *, identity: str) -> Html:
    heads = ("task", "node", "state", "wanted", "since", "error", "image")
    rows = (
        (
            task.name,
            task.node,
            _word(task.state),
            tag("span", task.desired, class_="quiet"),
            tag("time", task.since.replace("T", " "), datetime=task.since),
            tag("span", task.error, class_="bad"),
            task.image,
        )
        for task in tasks
    )
    return table(heads, rows, identity=identity)


def _networks(networks: Iterable[Network]) -> Html:
    rows = ((network.name, network.driver, _lines(network.subnets), _lines(network.options)) for network in networks)
    return table(("network", "driver", "subnets", "options"), rows, identity="networks")


def _volumes(services: Iterable[Service]) -> Html:
    rows = ((service.name, volume) for service in services for volume in service.volumes)
    return table(("service", "volume"), rows, identity="volumes")


def _word(word: str) -> Html:
    """A state, with the colour of what it means."""
    kind = "good" if word in _GOOD else "quiet" if word in _QUIET else "bad"
    return tag("span", word, class_=kind)


def _lines(texts: Iterable[str]) -> Html:
    return joined(tag("div", text) for text in texts)
