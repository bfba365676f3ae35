"""A shop with FastAPI, to be served by uvicorn."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import BackgroundTasks, FastAPI, HTTPException, WebSocket
from shop_audit import (
    BODIES,
    FILE,
    ROUTES,
    auditor,
    broken_numbers,
    event_stream,
    numbers,
)
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from auditring.middleware.fastapi import AuditMiddleware

app = FastAPI()


@app.head("/orders/{order}")
@app.get("/orders/{order}")
def read(order: str) -> dict[str, str]:
    return {"order": order}


@app.post("/orders", status_code=201)
async def create(request: Request) -> dict[str, int]:
    return {"size": len(await request.body())}


@app.put("/orders/{order}")
async def replace(order: str, request: Request) -> Response:
    kind = request.headers["content-type"]
    return Response(await request.body(), headers={"Content-Type": kind})


@app.delete("/orders/{order}")
async def delete(order: str) -> None:
    if order == "missing":
        raise HTTPException(404)
    raise ValueError("odd")


@app.get("/stream")
def stream() -> StreamingResponse:
    return StreamingResponse(numbers(), media_type="text/plain")


@app.get("/broken")
def broken() -> StreamingResponse:
    return StreamingResponse(broken_numbers(), media_type="text/plain")


@app.get("/file")
def file() -> FileResponse:
    return FileResponse(FILE)


@app.get("/patient")
async def patient(request: Request) -> str:
    while not await request.is_disconnected():
        await asyncio.sleep(0)
    return "gone"


@app.get("/events")
def events() -> StreamingResponse:
    return StreamingResponse(event_stream(), media_type="text/event-stream")


@app.get("/endless")
async def endless(kind: str) -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)  # lets the server notice who left

    return StreamingResponse(chunks(), media_type=kind)


@app.get("/background")
async def background(tasks: BackgroundTasks) -> str:
    def fail() -> None:
        raise ValueError("in the background")

    tasks.add_task(fail)
    return "done"


@app.websocket("/chat")
async def chat(socket: WebSocket) -> None:
    if socket.headers.get("x-user") is None:
        await socket.close()
        return
    await socket.accept()
    while True:
        text = await socket.receive_text()
        if text == "odd":
            raise ValueError(text)
        await socket.send_text(text.upper())


inside = FastAPI()


@inside.get("/a/{name}")
def read_inside(name: str) -> JSONResponse:
    return JSONResponse({"inside": name})


inside.add_middleware(AuditMiddleware, auditor=auditor)  # type: ignore[arg-type]
app.mount("/sub", inside)


def _user(scope: Any) -> str | None:  # noqa: ANN401
    return next((v.decode() for k, v in scope["headers"] if k == b"x-user"), None)


app.add_middleware(
    AuditMiddleware,  # type: ignore[arg-type]
    auditor=auditor,
    user=_user,
    routes=ROUTES,
    bodies=BODIES,
)
