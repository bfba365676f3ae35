"""A shop with Flask, to be served by gunicorn."""

from collections.abc import Iterator

from flask import Blueprint, Flask, Response, abort, jsonify, request, send_file
from shop_audit import (
    BODIES,
    FILE,
    ROUTES,
    auditor,
    broken_numbers,
    event_stream,
    numbers,
)

from auditring.middleware.flask import init_app

app = Flask("shop")


@app.get("/orders/<order>")
def read(order: str) -> Response:
    return jsonify(order=order)


@app.post("/orders")
def create() -> tuple[Response, int]:
    return jsonify(size=len(request.get_data())), 201


@app.put("/orders/<order>")
def replace(order: str) -> Response:
    return Response(request.get_data(), content_type=request.content_type)


@app.delete("/orders/<order>")
def delete(order: str) -> None:
    if order == "missing":
        abort(404)
    raise ValueError("odd")


@app.get("/stream")
def stream() -> Response:
    return Response(numbers(), mimetype="text/plain")


@app.get("/broken")
def broken() -> Response:
    return Response(broken_numbers(), mimetype="text/plain")


@app.get("/file")
def file() -> Response:
    return send_file(FILE)


@app.get("/events")
def events() -> Response:
    return Response(event_stream(), mimetype="text/event-stream")


@app.get("/endless")
def endless() -> Response:
    def chunks() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    return Response(chunks(), mimetype=request.args["kind"])


inside = Blueprint("inside", __name__)


@inside.get("/a/<name>")
def read_inside(name: str) -> Response:
    return jsonify(inside=name)


app.register_blueprint(inside, url_prefix="/sub")
init_app(
    app,
    auditor,
    user=lambda: request.headers.get("X-User"),
    routes=ROUTES,
    bodies=BODIES,
)
