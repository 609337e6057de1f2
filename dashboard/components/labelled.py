"""Names for those who do not see a control. Dash takes `aria-label` as a wildcard, which its types do not know."""

from typing import TypeVar

from dash.development.base_component import Component

C = TypeVar("C", bound=Component)


def labelled(component: C, label: str) -> C:
    """The component with its accessible name."""
    setattr(component, "aria-label", label)
    return component
