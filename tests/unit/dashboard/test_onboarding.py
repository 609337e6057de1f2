"""What a newcomer is told to type, with and without credentials."""

from dash import html

from dashboard.components.appraisal_help import outcome_lines
from dashboard.components.onboarding import onboarding

ENDPOINT = "http://127.0.0.1:4318"


def test_without_credentials_nothing_is_said_of_tokens() -> None:
    assert "TOKEN" not in str(html.Div(onboarding(ENDPOINT, needs_token=False)))
    assert "Bearer" not in outcome_lines(ENDPOINT, needs_token=False)


def test_with_credentials_every_recipe_shows_the_token_and_how_one_is_made() -> None:
    said = str(html.Div(onboarding(ENDPOINT, needs_token=True)))
    assert said.count("authorization=Bearer%20TOKEN") == 2
    assert "pigou credentials create my-agent" in said
    assert "-H 'authorization: Bearer TOKEN'" in outcome_lines(ENDPOINT, needs_token=True)
