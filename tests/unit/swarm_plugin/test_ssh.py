"""The way over ssh, with a script in place of ssh."""

import sys
from pathlib import Path

import pytest

from plugins.swarm.connection import Access, Connection, is_nobody_there
from plugins.swarm.errors import SwarmError
from plugins.swarm.ssh import SshError, connect_docker, run

HOST = "ssh://root@127.0.0.1:2200"
# Forwards as ssh does: a socket of its own, a line that tells so, and an end when its input ends.
TUNNEL = f"""#!{sys.executable}
import http.server, socketserver, sys, threading
if "-L" not in sys.argv:
    sys.exit("no forwarding was asked for")
path = sys.argv[sys.argv.index("-L") + 1].partition(":")[0]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{{"ApiVersion": "1.41", "Version": "20.10.24"}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self):
        return ""
    def log_message(self, *words):
        pass
server = socketserver.ThreadingUnixStreamServer(path, Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("a banner\\n" + sys.argv[-1].split()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "ssh"


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def test_a_tunnel_carries_the_daemon_and_ends_when_it_is_closed(ssh: Path) -> None:
    script(ssh, TUNNEL)
    tunnel = connect_docker(HOST, ["-i", "key"])
    assert tunnel.client.version()["Version"] == "20.10.24"
    assert tunnel.alive
    tunnel.close()
    tunnel.close()
    assert not tunnel.alive


def test_a_tunnel_that_cannot_be_opened_is_told_in_sshs_own_words(ssh: Path) -> None:
    script(ssh, "#!/bin/sh\necho 'ssh: connect to host 127.0.0.1 port 2200: Connection refused' >&2\nexit 255\n")
    with pytest.raises(SshError, match=r"2200: ssh: connect to host 127\.0\.0\.1 port 2200: Connection refused"):
        connect_docker(HOST)


def test_a_tunnel_that_stays_silent_ends_at_its_deadline(ssh: Path) -> None:
    script(ssh, "#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(SshError, match=r"no answer \(within 0.2 s\)"):
        connect_docker(HOST, timeout=0.2)


def test_a_forwarding_that_leads_to_no_daemon_is_an_error(ssh: Path) -> None:
    script(ssh, TUNNEL.replace("self.send_response(200)", "return"))
    with pytest.raises(SshError, match="the Docker daemon does not answer"):
        connect_docker(HOST)


def test_a_missing_ssh_says_what_to_install(ssh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(ssh.parent))
    with pytest.raises(SshError, match="install the OpenSSH client"):
        connect_docker(HOST)
    with pytest.raises(SshError, match="install the OpenSSH client"):
        run(HOST, (), ["true"], 5)


def test_a_remote_command_is_quoted_and_its_input_is_no_argument(ssh: Path) -> None:
    script(ssh, '#!/bin/sh\nfor word; do last=$word; done\nprintf "%s|" "$last"; cat; exit 7\n')
    done = run(HOST, ("-o", "A=b"), ["sh", "-c", "echo $HOME; x"], 5, input="secret")
    assert (done.status, done.stdout) == (7, "sh -c 'echo $HOME; x'|secret")


def test_what_the_caller_says_comes_before_what_we_always_say(ssh: Path) -> None:
    script(ssh, '#!/bin/sh\necho "$@"\n')
    words = run("ssh://me@[::1]:2200", ("-o", "ConnectTimeout=3"), ["true"], 5).stdout.split()
    assert words.index("ConnectTimeout=3") < words.index("ConnectTimeout=10")
    assert "BatchMode=yes" in words
    assert words[-6:] == ["-p", "2200", "-T", "--", "::1", "true"]


@pytest.mark.parametrize("host", ["ssh://", "http://a", "nonsense"])
def test_a_wrong_host_is_refused(host: str) -> None:
    with pytest.raises(SshError):
        run(host, (), ["true"], 1)


def test_a_pinned_way_knows_one_key_and_asks_nobody() -> None:
    words = Access("key", ("-J", "gate")).pinned(Connection("10.0.0.1", 22, "me", "ssh-ed25519 AAAA"))
    assert "KnownHostsCommand=/bin/echo 10.0.0.1 ssh-ed25519 AAAA" in words
    assert {"StrictHostKeyChecking=yes", "PasswordAuthentication=no", "UserKnownHostsFile=/dev/null"} <= set(words)
    assert words[:2] == ("-J", "gate")
    with pytest.raises(SwarmError, match="has no hostKey"):
        Access().pinned(Connection("10.0.0.1", 22, "me"))


@pytest.mark.parametrize(
    ("message", "nobody"),
    [
        ("ssh: connect to host 10.0.0.1 port 22: Connection refused", True),
        ("ssh: connect to host 10.0.0.1 port 22: No route to host", True),
        ("ssh: connect to host 10.0.0.1 port 22: Connection timed out", False),
        ("channel 1: open failed: connect failed: Connection refused", False),
        ("kex_exchange_identification: Connection closed by remote host", False),
    ],
)
def test_only_the_networks_own_word_proves_that_nobody_is_there(message: str, nobody: bool) -> None:
    assert is_nobody_there(message) is nobody
