"""The web images: what a visitor gets, from whom, and how a task starts, fails and stops."""

import json
from http.client import HTTPConnection, HTTPMessage

import pytest

from tests.unit.images.containers import Started, Yard
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e
_SECRETS = {
    "/run/secrets/user": ("of-user", 0o444),
    "/run/secrets/root": ("of-root", 0o444),
    "/run/secrets/administrator": ("of-administrator", 0o444),
    "/run/secrets/salt": ("salt", 0o444),
}
_WORDPRESS = {
    "WORDPRESS_DB_HOST": "database",
    "WORDPRESS_DB_PASSWORD_FILE": "/run/secrets/user",
    "WORDPRESS_ADMIN_PASSWORD_FILE": "/run/secrets/administrator",
    "WORDPRESS_SALT_FILE": "/run/secrets/salt",
    "WORDPRESS_TITLE": "Harbour 'news'",
}
_DATABASE = {
    "MYSQL_DATABASE": "wordpress",
    "MYSQL_USER": "wordpress",
    "MYSQL_PASSWORD_FILE": "/run/secrets/user",
    "MYSQL_ROOT_PASSWORD_FILE": "/run/secrets/root",
}
_HAPROXY = """
global
    log stdout format raw local0 notice
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
frontend health
    bind :8405
    monitor-uri /healthz
frontend web
    bind :8000
    default_backend web
backend web
    server web web:8080 check
"""


def _get(
    started: Started, port: int, path: str = "/", headers: dict[str, str] | None = None
) -> tuple[int, HTTPMessage, str]:
    """Code, headers and text; a redirection is not followed."""
    connection = HTTPConnection("127.0.0.1", started.port(port), timeout=30)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode()


def _healthy(started: Started, *command: str) -> None:
    wait_for(f"{command[0]} is content", lambda: started.run(*command)[0] == 0)


def _web(yard: Yard) -> Started:
    environment = {"PORT": "8080", "TASK_NAME": "web.2.xyz", "NODE_NAME": "worker-1"}
    web = yard.start(yard.images["nginx"], alias="web", environment=environment, ports=(8080,))
    _healthy(web, "curl", "-fsS", "http://127.0.0.1:8080/healthz")
    return web


def test_the_page_of_nginx_tells_task_node_and_service(yard: Yard) -> None:
    status, headers, page = _get(_web(yard), 8080)
    assert status == 200
    assert headers["X-Served-By"] == "web"
    for field, value in {"task": "web.2.xyz", "node": "worker-1", "service": "web", "container": "web"}.items():
        assert f'id="{field}">{value}<' in page


def test_nginx_runs_without_root_and_stops_gracefully(yard: Yard) -> None:
    web = _web(yard)
    assert web.run("id", "-un")[1].strip() == "www-data"
    assert web.stop() == 0


def test_haproxy_forwards_is_healthy_and_ends_gracefully(yard: Yard) -> None:
    _web(yard)
    files = {"/usr/local/etc/haproxy/haproxy.cfg": (_HAPROXY, 0o644)}
    proxy = yard.start(yard.images["haproxy"], files=files, ports=(8000,))
    _healthy(proxy, "haproxy-health")
    wait_for("the page comes through the proxy", lambda: _get(proxy, 8000)[0] == 200)
    assert proxy.stop() == 0


def test_haproxy_says_which_line_of_its_configuration_is_wrong(yard: Yard) -> None:
    files = {"/usr/local/etc/haproxy/haproxy.cfg": (_HAPROXY.replace("mode http", "mode carrier-pigeon"), 0o644)}
    proxy = yard.start(yard.images["haproxy"], files=files)
    assert yard.client.wait(proxy.identity)["StatusCode"] == 78
    proxy.says("haproxy.cfg is not valid")
    proxy.says("carrier-pigeon")


def test_haproxy_without_a_configuration_says_where_it_belongs(yard: Yard) -> None:
    proxy = yard.start(yard.images["haproxy"])
    assert yard.client.wait(proxy.identity)["StatusCode"] == 78
    proxy.says("/usr/local/etc/haproxy/haproxy.cfg is missing")


def _wordpress(yard: Yard, alias: str) -> Started:
    return yard.start(yard.images["wordpress"], alias=alias, files=_SECRETS, environment=_WORDPRESS, ports=(80,))


def test_replicas_of_wordpress_that_start_at_once_make_one_finished_site(yard: Yard) -> None:
    replicas = [_wordpress(yard, "site-1"), _wordpress(yard, "site-2")]  # before there is a database
    database = yard.start(yard.images["mariadb"], alias="database", files=_SECRETS, environment=_DATABASE)
    _healthy(database, "database-health")
    for replica in replicas:
        _healthy(replica, "wordpress-health")

    def installed() -> int:
        return "".join(replica.logs() for replica in replicas).count("the site is installed")

    wait_for("one says that it installed the site", installed)
    assert installed() == 1

    for name, replica in zip(("site-1", "site-2"), replicas, strict=True):
        headers = {"X-Forwarded-Host": "blog.example:8443", "X-Forwarded-Proto": "https"}
        status, answered, page = _get(replica, 80, headers=headers)
        assert status == 200
        assert answered["X-Served-By"] == name
        assert "Harbour &#039;news&#039;" in page
        assert "https://blog.example:8443/hello-world/" in page
        assert f"127.0.0.1:{replica.port(80)}/hello-world/" in _get(replica, 80)[2]
        assert _get(replica, 80, "/no-such-page/")[0] == 404
        assert "Already Installed" in _get(replica, 80, "/wp-admin/install.php")[2]
        assert "of-" not in json.dumps(yard.client.inspect_container(replica.identity)["Config"])

    database.stop()
    assert replicas[0].run("wordpress-health")[0] != 0, "healthy without a database"
    assert replicas[0].stop() == 0


def test_a_site_whose_installation_was_killed_is_completed(yard: Yard) -> None:
    database = yard.start(yard.images["mariadb"], alias="database", files=_SECRETS, environment=_DATABASE)
    _healthy(database, "database-health")
    # Some tables and no options: what WordPress itself takes for a damaged site, and never gets out of.
    half_made = "CREATE TABLE wordpress.wp_terms (term_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY)"
    assert database.run("env", "MYSQL_PWD=of-root", "mariadb", "-e", half_made) == (0, "")
    site = _wordpress(yard, "site")
    _healthy(site, "wordpress-health")
    assert _get(site, 80, "/hello-world/")[0] == 200
    tables = database.run("env", "MYSQL_PWD=of-root", "mariadb", "-N", "-e", "SHOW TABLES FROM wordpress")[1].split()
    assert len(tables) == 12


def test_wordpress_without_its_secret_says_which_file_is_missing(yard: Yard) -> None:
    site = yard.start(yard.images["wordpress"], environment=_WORDPRESS)
    assert yard.client.wait(site.identity)["StatusCode"] == 1
    site.says("WORDPRESS_DB_PASSWORD_FILE is /run/secrets/user: it must name a file that can be read")
