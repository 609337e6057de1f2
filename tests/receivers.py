"""Real receivers on loopback, for what is delivered: HTTP that answers, fails, hangs or drips as a test says, and SMTP."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import msgspec
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Got(msgspec.Struct, frozen=True):
    """One request as it came, with the status it was answered."""

    path: str
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes
    status: int

    @property
    def json(self) -> Any:
        """Its body, read."""
        return json.loads(self.body)


class Answer(msgspec.Struct, frozen=True):
    """How a request is answered. `hang_s`: only after so long; `drip`: a byte a second, without end; `then`: called before it."""

    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b"ok"
    hang_s: float = 0.0
    drip: bool = False
    then: Callable[[], None] | None = None


class Receiver:
    """An HTTP server that keeps what it got. `answers` are used up in order; what comes after them is taken."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.got: list[Got] = []
        self.answers: list[Answer] = []
        self.otherwise = Answer()
        self.closing = threading.Event()
        self._lock = threading.Lock()

    def next_answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Keep a request, and say how it is answered."""
        with self._lock:
            answer = self.answers.pop(0) if self.answers else self.otherwise
            self.got.append(Got(path, headers, body, answer.status))
            return answer

    @property
    def taken(self) -> list[Got]:
        """The requests that were answered with 2xx."""
        return [got for got in self.got if 200 <= got.status < 300]


@contextlib.contextmanager
def receiving(port: int = 0, tls: ssl.SSLContext | None = None) -> Generator[Receiver]:
    """A receiver on loopback, on a free port unless one is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.next_answer(self.path, headers, body)
            if answer.then:
                answer.then()
            receiver.closing.wait(answer.hang_s)
            with contextlib.suppress(OSError):  # it may have gone
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if not answer.drip:
                    self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                while answer.drip and not receiver.closing.wait(0.2):
                    self.wfile.write(b".")
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver = Receiver(f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Mailbox:
    """What an SMTP server got. `replies` are answered to DATA in order; what comes after them is taken."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []
        self.logins: list[tuple[str, str]] = []
        self.replies: list[str] = []
        self.refused: set[str] = set()
        self.secured: list[bool] = []
        self.port = 0

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        if address in self.refused:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the library's name
        """Take or refuse a mail."""
        reply = self.replies.pop(0) if self.replies else "250 taken"
        if reply.startswith("250"):
            self.got.append(envelope)
            self.secured.append(session.ssl is not None)
        return reply


@contextlib.contextmanager
def mailing(authority: trustme.CA, *, tls: bool = False, login: tuple[str, str] | None = None) -> Generator[Mailbox]:
    """An SMTP server on loopback that wants STARTTLS, or TLS from the start, and a login when one is given."""
    mailbox = Mailbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def authenticator(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        given = cast(LoginPassword, data)
        mailbox.logins.append((given.login.decode(), given.password.decode()))
        return AuthResult(success=mailbox.logins[-1] == login, handled=False)

    settings: dict[str, Any] = {"ssl_context": context} if tls else {"tls_context": context, "require_starttls": True}
    if login:
        settings |= {"authenticator": authenticator, "auth_required": True, "auth_require_tls": not tls}
    mailbox.port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, **settings)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def free_port() -> int:
    """A port that nobody listened on a moment ago: the library wants to be told one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(is_so: Callable[[], bool], within_s: float = 60.0) -> None:
    """Until it is so. Raises TimeoutError."""
    deadline = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)
