# pyright: reportMissingImports=false, reportMissingModuleSource=false, reportUntypedFunctionDecorator=false
"""The controller: what each request does with the model, and which view answers it."""

import os
import secrets
import socket
from pathlib import Path
from typing import Any

from flask import Flask, abort, make_response, redirect, render_template, request, url_for
from pymysql import MySQLError

from .model import PAGE, catalogue
from .release import Release

COOKIE = "form-token"
LAST_PAGE = 10**6
RELEASE = Release.load(Path(__file__).parent.parent / "release.json")
SERVED_BY = socket.gethostname()
TASK = os.environ.get("TASK_NAME", SERVED_BY)
NODE = os.environ.get("NODE_NAME", "unknown")

application = Flask(__name__)
application.config["MAX_CONTENT_LENGTH"] = 64 * 1024


@application.get("/")
def products() -> Any:
    """The catalogue, page by page."""
    number = request.args.get("page", 1, type=int)
    if not 1 <= number <= LAST_PAGE:
        abort(404)
    with catalogue(RELEASE.fields) as model:
        found, schema = model.page(number), model.schema()
    return render_template("list.html", products=found[:PAGE], number=number, more=len(found) > PAGE, schema=schema)


@application.get("/products/new")
def new() -> Any:
    """An empty form."""
    return form({}, [], url_for("add"))


@application.post("/products")
def add() -> Any:
    """A new product, then the catalogue."""
    check_token()
    values, wrong = RELEASE.read(request.form)
    if wrong:
        return form(request.form, wrong, url_for("add"), 422)
    with catalogue(RELEASE.fields) as model:
        model.add(values)
    return redirect(url_for("products"), 303)


@application.get("/products/<int:identity>")
def edit(identity: int) -> Any:
    """The form of a product."""
    with catalogue(RELEASE.fields) as model:
        found = model.product(identity)
    if found is None:
        abort(404)
    return form(found, [], url_for("change", identity=identity))


@application.post("/products/<int:identity>")
def change(identity: int) -> Any:
    """A product as the form says, then the catalogue."""
    check_token()
    values, wrong = RELEASE.read(request.form)
    if wrong:
        return form(request.form, wrong, url_for("change", identity=identity), 422)
    with catalogue(RELEASE.fields) as model:
        if model.product(identity) is None:
            abort(404)
        model.change(identity, values)
    return redirect(url_for("products"), 303)


@application.get("/health")
def health() -> Any:
    """Whether the database has the schema that this release needs: then every page can be answered."""
    with catalogue(RELEASE.fields) as model:
        schema = model.schema()
    if schema < RELEASE.schema:
        return f"the schema is {schema}, and release {RELEASE.version} needs {RELEASE.schema}\n", 503
    return f"release {RELEASE.version}, schema {schema}\n", {"Content-Type": "text/plain"}


def form(values: Any, wrong: list[str], target: str, status: int = 200) -> Any:
    """The form with a token that the browser has to send twice: as a cookie, and in the form. Another site can make it
    send the cookie, but cannot know what to put in the form; any task can compare the two."""
    token = request.cookies.get(COOKIE) or secrets.token_urlsafe(24)
    page = render_template("form.html", values=values, wrong=wrong, target=target, token=token)
    answer = make_response(page, status)
    answer.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
    return answer


def check_token() -> None:
    """403 unless cookie and form agree."""
    cookie, sent = request.cookies.get(COOKIE, ""), request.form.get("token", "")
    if not cookie or not secrets.compare_digest(cookie.encode(), sent.encode()):
        abort(403, "This form is not from here, or too old: open it again.")


@application.errorhandler(MySQLError)
def database_error(error: MySQLError) -> Any:
    """The page that says so: what the database told is for the log, not for visitors."""
    application.logger.error("the database says: %s", error)
    return render_template("error.html", title="The catalogue cannot be reached", text="Try again in a moment."), 503


@application.errorhandler(403)
@application.errorhandler(404)
def refused(error: Any) -> Any:
    """The same frame as every page."""
    return render_template("error.html", title=error.name, text=error.description), error.code


@application.context_processor
def frame() -> dict[str, Any]:
    """What every view shows around its own."""
    return {
        "release": RELEASE,
        "task": TASK,
        "node": NODE,
        "served_by": SERVED_BY,
        "database": os.environ.get("MVC_DATABASE_HOST"),
    }


@application.after_request
def headers(answer: Any) -> Any:
    """Who answered; and that no page runs scripts, is framed, or is kept."""
    answer.headers["X-Served-By"] = SERVED_BY
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
