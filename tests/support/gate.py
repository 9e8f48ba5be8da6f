"""Something content waits for until a test lets it go on."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Gate:
    """``url`` answers with what ``says`` holds: content that asks goes on when it reads ``go``."""

    url: str
    says: str = "go"


@contextlib.contextmanager
def opened() -> Iterator[Gate]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"{made.says}\n".encode())

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as listening:
        made = Gate(f"http://127.0.0.1:{listening.server_port}/")
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield made
        listening.shutdown()
