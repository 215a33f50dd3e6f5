# pyright: reportMissingImports=false, reportMissingModuleSource=false
"""Gunicorn: one process with threads in each task, because Swarm adds tasks where more is needed."""

from typing import Any

from gunicorn.glogging import Logger

bind = "0.0.0.0:80"
workers = 1
worker_class = "gthread"
threads = 8
worker_tmp_dir = "/dev/shm"  # noqa: S108 - its heartbeat, which must not wait for a disk
# A proxy never holds a connection that a task on its way out would close under it.
keepalive = 0
timeout = 30
graceful_timeout = 20
accesslog = "-"
access_log_format = '%({x-forwarded-for}i)s "%(r)s" %(s)s %(b)s %(M)sms'


class WithoutHealth(Logger):
    """Every proxy asks for the health of every task every other second: that is no news."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        if req.path != "/health":
            super().access(resp, req, environ, request_time)


logger_class = WithoutHealth
