"""E-mail by SMTP: STARTTLS or TLS, with a login. The Message-ID is the message's key, the same in every repetition."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import UUID, uuid5

import aiosmtplib

from analyzers.delivery.message import Message, Outcome, Told
from analyzers.delivery.secret import reveal
from ledger.channels import Email

_SUBJECT_MAX = 200


async def send(settings: Email, message: Message, environment: Mapping[str, str], within_s: float) -> Outcome:
    """Hand a message to the server. Raises SecretAbsent.

    When the server takes it for some recipients and refuses others it is sent: the others are said, and nobody gets it twice.
    """
    password = reveal(settings.password, environment) if settings.password else None
    mail = mail_of(message, settings)
    try:
        async with asyncio.timeout(within_s):
            refused, said = await aiosmtplib.send(
                mail,
                hostname=settings.host,
                port=settings.port,
                username=settings.user,
                password=password,
                use_tls=settings.security == "tls",
                start_tls=settings.security == "starttls",
                tls_context=None if settings.security == "none" else ssl.create_default_context(cafile=settings.ca_file),
                timeout=within_s,
            )
    except TimeoutError:
        return Outcome("failed", f"no answer within {within_s:g} s")
    except aiosmtplib.SMTPRecipientsRefused as error:
        return Outcome("refused", _line("; ".join(f"{one.recipient}: {one.code} {one.message}" for one in error.recipients)))
    except aiosmtplib.SMTPDataError as error:
        return Outcome("refused" if error.code >= 500 else "failed", _line(f"{error.code} {error.message}"))
    except (aiosmtplib.SMTPException, ssl.SSLError, OSError) as error:
        return Outcome("failed", _line(f"{type(error).__name__}: {error}"))
    if refused:
        return Outcome("sent", _line("not to " + "; ".join(f"{to}: {one.code} {one.message}" for to, one in refused.items())))
    return Outcome("sent", _line(said))


def mail_of(message: Message, settings: Email) -> EmailMessage:
    """The mail. Mails of one alert refer to the same id, so that readers show them together."""
    domain = settings.sender.rpartition("@")[2]
    mail = EmailMessage()
    mail["Subject"] = _line(f"[Pigou] {message.title}")[:_SUBJECT_MAX]
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.to)
    mail["Date"] = format_datetime(message.made_at)
    mail["Message-ID"] = f"<{message.key}@{domain}>"
    if message.kind != "test":
        mail["References"] = " ".join(f"<{thread}@{domain}>" for thread in _threads(message))
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Pigou-Key"] = message.key
    mail.set_content(
        "\n\n".join(_event(told, settings.page) for told in message.told) + f"\n\n-- \nPigou, message {message.key}\n"
    )
    return mail


def _threads(message: Message) -> list[UUID]:
    return [uuid5(message.installation, f"{told.tenant}/{told.alert_id}") for told in message.alerts()][:10]


def _event(told: Told, page: str | None) -> str:
    lines = [told.title, told.message]
    if told.note:
        lines.append(f"{told.who or 'Pigou'}: {told.note}")
    if told.state != "resolved":
        lines.append(f"To mend it: {told.mend}")
    happened = f", {told.at:%Y-%m-%d %H:%M:%S} UTC" if told.at else ""
    lines.append(f"Alert {told.alert_id} of {told.tenant}, {told.severity}, {told.state}{happened}")
    if link := told.link(page):
        lines.append(link)
    return "\n".join(lines)


def _line(text: str) -> str:
    return " ".join(text.replace("\0", "").split())[:300]
