"""Email as a channel: the first message, its notes and its end form one thread in the recipients' mailboxes."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import formatdate
from typing import Final

from contracts.errors import LookFirst, Permanent, RetryLater
from contracts.settings import Settings
from orchestration.alerts.channels.channel import Refused
from orchestration.alerts.chart import png, sparkline
from orchestration.alerts.notice import Notice

TIMEOUT_SECONDS: Final = 10.0
_PASSING: Final = range(400, 500)
_SUBJECT: Final = 150
_DOMAIN: Final = "millrace.alerts"


class EmailChannel:
    """Sends by SMTP.

    A mail cannot be looked for, so one whose fate is unknown is sent again with the same Message-ID: mailboxes that
    know it show it once.

    Args:
        settings: SMTP_HOST and its kin.
        to: recipients; none: SMTP_TO.
        timeout: longest wait for an answer, in seconds.

    """

    edits = False

    def __init__(self, settings: Settings, to: Sequence[str] = (), timeout: float = TIMEOUT_SECONDS) -> None:
        self._settings = settings
        self._to = tuple(to) or settings.smtp_recipients
        self._timeout = timeout

    def post(self, notice: Notice, key: str) -> str:
        """See `Channel`; the place is the Message-ID."""
        return self._send(self._message(notice, key))

    def edit(self, place: str, notice: Notice, key: str) -> None:
        """Do nothing: a mail stays as it was sent."""

    def note(self, place: str, notice: Notice, key: str) -> str:
        """See `Channel`: an answer to the first mail."""
        message = self._message(notice, key)
        message["In-Reply-To"] = message["References"] = place
        return self._send(message)

    def find(self, key: str, since: datetime, place: str = "") -> str:  # noqa: ARG002 - mailboxes are not ours to search
        """Return '': see the class."""
        return ""

    def _message(self, notice: Notice, key: str) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = _one_line(notice.headline)[:_SUBJECT]
        message["From"] = self._settings.smtp_from
        message["To"] = ", ".join(self._to)
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{_one_line(key)}@{_DOMAIN}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(body(notice))
        if notice.chart:
            try:
                image = png(notice.chart, notice.headline)
            except (ValueError, TypeError):
                return message  # the text has the sparkline
            message.add_attachment(image, maintype="image", subtype="png", filename="chart.png")
        return message

    def _send(self, message: EmailMessage) -> str:
        connected = False
        try:
            server = self._connected()
            connected = True  # from here on nobody knows what a broken connection has let through
            try:
                refused = server.send_message(message)
            finally:
                _leave(server)
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError) as error:
            raise Refused(f"the mail server refuses the settings: {_said(error)}") from error
        except smtplib.SMTPRecipientsRefused as error:
            raise Permanent(f"the mail server refuses every recipient: {', '.join(error.recipients)}") from error
        except smtplib.SMTPResponseException as error:
            kind = RetryLater if error.smtp_code in _PASSING else Permanent
            raise kind(f"the mail server refuses: {_said(error)}") from error
        except (smtplib.SMTPException, OSError) as error:
            kind = LookFirst if connected else RetryLater
            raise kind(f"the mail server does not answer: {error}") from error
        if refused:
            raise Permanent(f"the mail server refuses {', '.join(refused)}; the others have the mail")
        return str(message["Message-ID"])

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        address = (settings.smtp_host, settings.smtp_port)
        if settings.smtp_security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                *address, timeout=self._timeout, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(*address, timeout=self._timeout)
        try:
            server.ehlo_or_helo_if_needed()
            if settings.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def body(notice: Notice) -> str:
    """Return the whole notice as text."""
    first = [notice.note] if notice.kind == "note" else [notice.headline, notice.summary]
    facts = [f"{label}: {value}" for label, value in notice.facts]
    chart = sparkline(notice.chart) if notice.chart else ""
    owner = f"owner: {notice.owner}" if notice.owner else ""
    links = [f"{label}: {address}" if address else label for label, address in notice.links]
    top, middle, bottom = ("\n".join(part) for part in (first, facts, links))
    parts = (top, middle, chart, notice.table, notice.health, owner, notice.timing, notice.held_text, bottom)
    return "\n\n".join(filter(None, parts)) + "\n"


def _leave(server: smtplib.SMTP) -> None:
    """End the conversation; how the server takes that says nothing about the mail."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _said(error: Exception) -> str:
    reply = getattr(error, "smtp_error", b"") or str(error)
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
    return f"{getattr(error, 'smtp_code', '')} {text}".strip()[:300]
