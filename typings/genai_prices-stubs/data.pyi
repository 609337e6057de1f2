# The module is one literal of some thirty thousand lines, whose type would be inferred anew at every check (minutes of it).
from genai_prices.types import Provider

providers: list[Provider]
