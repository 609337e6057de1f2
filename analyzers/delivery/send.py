"""A message through a channel of any kind. Imports stand inside: who has no channel of a kind does not load what it needs."""

from __future__ import annotations

from collections.abc import Mapping

from analyzers.delivery.message import Message, Outcome
from analyzers.delivery.secret import SecretAbsent
from ledger.channels import Alertmanager, Channel, Email, Slack, Webhook


async def send(channel: Channel, message: Message, environment: Mapping[str, str], within_s: float) -> Outcome:
    """Try once, and answer what came of it. `environment` is where `env:` secrets are."""
    settings = channel.settings
    try:
        if isinstance(settings, Webhook):
            from analyzers.delivery import webhook

            return await webhook.send(settings, message, environment, within_s)
        if isinstance(settings, Slack):
            from analyzers.delivery import slack

            return await slack.send(settings, message, environment, within_s)
        if isinstance(settings, Email):
            from analyzers.delivery import mail

            return await mail.send(settings, message, environment, within_s)
        if isinstance(settings, Alertmanager):
            from analyzers.delivery import alertmanager

            return await alertmanager.send(settings, message, environment, within_s)
        from analyzers.delivery import otlp

        return await otlp.send(settings, message, environment, within_s)
    except SecretAbsent as error:
        return Outcome("failed", str(error))
