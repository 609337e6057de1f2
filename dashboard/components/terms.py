"""Words of the appraisal that a first-time reader meets, explained where they stand."""

from dash.development.base_component import Component

from dashboard.components.marks import help_on

MEANINGS = {
    "recoverable": "What the best option of each decision would have brought beyond the one that was chosen, summed: its regret. "
    "Only decisions are counted whose options could be compared with confidence.",
    "net": "V·Q − C − λ·L − ρ·R: what a task was worth, less its compute, its latency and its expected loss, each in dollars.",
    "V": "What a task is worth if it succeeds, against failing, in USD. Stated by policy or by the task itself.",
    "λ": "What a second of waiting costs, in USD. Zero while the latency agreement does not bind.",
    "ρ": "What a dollar of expected loss counts for. 1 is risk-neutral.",
    "V·ΔQ": "Value: how much likelier the task succeeds with this option than with the chosen one, times its worth.",
    "ΔC": "Compute: what this option costs more than the chosen one, over the whole task.",
    "λ·ΔL": "Latency: how many seconds longer the task takes with this option, at λ.",
    "ρ·ΔR": "Risk: how much more loss is to be expected with this option, at ρ.",
    "95 % interval": "Drawn so that nineteen of twenty such intervals hold the true figure.",
    "regret": "Net value of the best option less that of the chosen one. Claimed only where its interval excludes zero.",
    "propensity": "The probability with which the option was chosen. Where it is logged, options can be compared without "
    "guessing why one was taken.",
    "not identified": "No amount of such data would answer: something that moved the choice is not recorded, or an option was "
    "never tried. Log propensities, or explore a little.",
    "not enough evidence": "The options can be compared, but the interval still includes zero. More outcomes would settle it.",
    "binding": "The constraint holds the stack back, so loosening it would gain its price. A slack constraint has price zero.",
    "dual": "Solved from a budget, a latency agreement or a risk envelope: what loosening that by one unit would gain.",
    "policy": "Stated by somebody, not solved.",
}


def term(name: str, said: str | None = None) -> Component:
    """A word with its meaning under it. Raises: KeyError when the word has no explanation."""
    return help_on(said or name, MEANINGS[name])
