"""A small web server on this machine that misbehaves on request."""

import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["CSV", "send", "serving"]

CSV = b"row,dose,ward,state\n1,2.5,a,ill\n2,0,b,well\n3,,a ,ill\n4,?,NA,well\n"


class Server:
    """``answers[path]`` is a list of functions of the request handler, one a request; the last one stays."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.answers = {}
        self.requests = []


def send(content, *, status=200, announced=None, location=None):
    """An answer with `content`, which may announce more bytes than it sends."""

    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content) if announced is None else announced))
        if location:
            handler.send_header("Location", location)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


@contextmanager
def serving():
    """A running `Server`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            known.requests.append(self.path)
            answers = known.answers[self.path]
            answer = answers[0] if len(answers) == 1 else answers.pop(0)
            with suppress(ConnectionError):  # the client had seen enough
                answer(self)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known = Server(http.server_port)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield known
    http.shutdown()
    thread.join()
    http.server_close()
