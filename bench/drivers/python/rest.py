"""A REST service around the handler of a case: rest.py FOLDER MODULE FUNCTION INIT PAYLOAD

Says its port on standard output. The endpoint takes the request's text itself: a model of
pydantic's for each string would cost more than the handler.
"""

from __future__ import annotations

import json
import socket
import sys

import uvicorn
from fastapi import FastAPI, Request, Response
from payload import load, over_text


def main(folder: str, module: str, function: str, init: str, payload: str) -> None:
    handle = over_text(load(folder, module, function, init), payload)
    decode = json.JSONDecoder().decode
    encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
    app = FastAPI()

    @app.post("/handle")
    async def answer(request: Request) -> Response:
        batch = decode((await request.body()).decode())
        return Response(encode(handle(batch)), media_type="application/json")

    @app.get("/")
    async def ready() -> Response:
        return Response()

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:6])
