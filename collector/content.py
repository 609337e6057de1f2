"""Prompt and completion text: which attributes hold it, and what happens to it.

By default it is dropped before anything is stored, and the number of dropped values is left behind in
`pigou.content_dropped`. The operator may keep it, and may have secrets and e-mail addresses in it replaced: then it is stored
beside the record, for as long as text is kept, and its number is left in `pigou.content_kept`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from collector.record import Attributes, AttributeValue, Event, Text

CONTENT_DROPPED = "pigou.content_dropped"
CONTENT_KEPT = "pigou.content_kept"

# One alternation, matched against a whole key. Grouped by the convention the names come from.
_CONTENT = re.compile(
    r"""
      gen_ai\.(?:prompt|completion)(?:\.\d+\..*)?            # OpenLLMetry, deprecated OTel
    | gen_ai\.(?:input|output)\.messages(?:\..*)?            # OTel GenAI
    | gen_ai\.system_instructions
    | gen_ai\.(?:system|user|assistant|tool)\.message        # OTel GenAI event bodies flattened by some emitters
    | gen_ai\.tool\.(?:definitions|call\.arguments|call\.result|parameters|message)
    | gen_ai\.(?:tool\.)?(?:input|output)
    | gen_ai\.(?:request|response|output|input)\.(?:messages|available_tools|text|tool_calls|content|reasoning)
    | gen_ai\.retrieval\.(?:query\.text|documents)
    | gen_ai\.content\.(?:prompt|completion)
    | (?:gen_ai\.event\.)?content                           # of OTel's events: Azure, Strands, Koog
    | gen_ai\.evaluation\.explanation
    | gen_ai\.embeddings\.input(?:_texts)?                  # Sentry, AgentScope
    | gen_ai\.memory\.(?:query(?:\.text)?|records)
    | (?:input|output)\.value                                # OpenInference
    | llm\.(?:input_messages|output_messages|tools|prompts|completions|prompt_template|function_call)(?:\..*)?
    | llm\.invocation_parameters
    | (?:llm|ollama)\.response
    | llm\.(?!token_count\.|cost\.|usage\.|request\.|response\.)[\w-]+   # LiteLLM: the raw request and response by provider
      \.(?:messages|choices|tools|contents?|input|output|system|candidates|prompt|instructions|text)
    | (?:embedding\.embeddings|retrieval\.documents|reranker\.(?:input|output)_documents)\..*
    | embedding\.(?:text|vector)
    | tool\.(?:parameters|json_schema|arguments|output|result)
    | (?:input|output)(?:\.(?:messages|text))?
    | (?:input|output)_(?:messages|text|data)
    | traceloop\.(?:entity\.(?:input|output)|prompt\.template(?:_variables)?)
    | mlflow\.(?:(?:span|trace)(?:Inputs|Outputs)|chat\.(?:messages|tools))
    | mcp\.(?:request\.argument\..*|(?:tool|prompt)\.result\..*content)
    | (?:llm\.request\.functions|llm\.content)(?:\..*)?
    | ai\.(?:prompt|response\.(?:text|object|toolCalls|reasoning|files)|result|toolCall\.(?:args|result)|values?|schema
      |embeddings?)
      (?:\.(?!format$).*)?                                   # Vercel AI SDK
    | langfuse\.(?:observation|trace)\.(?:input|output)
    | gcp\.vertex\.agent\.(?:llm_request|llm_response|tool_call_args|tool_response|data)
    | (?:pydantic_ai\.)?(?:all_messages|all_messages_events|final_result|new_messages)
    | events | tool_arguments | tool_response | model_request_parameters
    | logfire\.(?:json_schema|msg)
    | request_data | response_data | (?:user_)?prompt | response | response_text | request_text | completion | thought | history
    | (?:function_args|tool_input|tool_output|tool_result|new_context|arguments|message(?:s|\.content)?)
    | tool_parameters | response\.model_output | body | diff | hook_(?:input|output)   # Claude Code, Gemini CLI
    | user_system_prompt | system_prompt(?:_preview)? | tools_json | request_body | response_body | full_command | bash_command
    | crew_(?:agents|tasks|inputs) | task_description | agent\.(?:input|output)(?:_message)? | task\.(?:input|output)
    | .*\.?http\.(?:request|response)\.body(?:\.content)?
    | .*\.?http\.(?:request|response)\.header\.(?:authorization|cookie|set-cookie|x-api-key|api-key|x-goog-api-key)
    | pigou\.content_kept                                    # ours: what a sender says by this name is not
    """,
    re.VERBOSE | re.IGNORECASE,
)

# Shapes of well-known credentials, long enough that ordinary text does not match them.
_SECRET = re.compile(
    r"""
      \b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}
    | \b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{30,} | \bgithub_pat_[A-Za-z0-9_]{40,} | \bglpat-[A-Za-z0-9_-]{20,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \bpigou_[A-Za-z0-9_-]{43}
    | \bAIza[A-Za-z0-9_-]{35} | \bya29\.[A-Za-z0-9_-]{20,}
    | \bxox[abposr]-[A-Za-z0-9-]{10,} | \bhf_[A-Za-z0-9]{30,} | \bnpm_[A-Za-z0-9]{36}
    | (?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}
    | (?<=[Bb]earer\ )[A-Za-z0-9._~+/-]{16,}=*
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    | (?<=://)[^\s:/@]+:[^\s/@]+(?=@)
    """,
    re.VERBOSE | re.DOTALL,
)
_EMAIL = re.compile(r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}\b")

_KNOWN_KEYS_MAX = 20_000
_KNOWN_KEY_LENGTH_MAX = 200


class ContentPolicy(msgspec.Struct, frozen=True):
    """What the operator wants done with prompt and completion text.

    `keep`: store it beside the record (default: drop it). `redact`: replace well-known credentials everywhere, and e-mail
    addresses in content.
    """

    keep: bool = False
    redact: bool = False

    @property
    def dropping(self) -> ContentPolicy:
        """The policy of what never keeps content: resources, links, metric points."""
        return ContentPolicy(redact=self.redact)


# Keys met so far that hold no content. Bounded in number and length, since senders choose the keys.
NO_CONTENT: set[str] = set()


def holds_content(key: str) -> bool:
    """Whether attributes of this name hold prompt, completion or tool text."""
    if key in NO_CONTENT:
        return False
    if _CONTENT.fullmatch(key) is not None:
        return True
    if len(key) > _KNOWN_KEY_LENGTH_MAX:
        return False
    if len(NO_CONTENT) >= _KNOWN_KEYS_MAX:
        NO_CONTENT.clear()
    NO_CONTENT.add(key)
    return False


def split_content(attributes: Attributes) -> tuple[Attributes, Attributes]:
    """The attributes without content, and the content."""
    kept: Attributes = {}
    content: Attributes = {}
    for key, value in attributes.items():
        (content if holds_content(key) else kept)[key] = value
    return kept, content


def redact_secrets(text: str) -> str:
    """The text with well-known credential shapes replaced."""
    return _SECRET.sub("[secret]", text)


def redact_personal(text: str) -> str:
    """The text with credentials and e-mail addresses replaced."""
    return _EMAIL.sub("[e-mail]", redact_secrets(text))


def redacted(value: AttributeValue, redact: Callable[[str], str]) -> AttributeValue:
    """The value with every string in it passed through `redact`; keys of maps stay."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redacted(item, redact) for item in value]
    if isinstance(value, dict):
        return {key: redacted(item, redact) for key, item in value.items()}
    return value


def stored_attributes(attributes: Attributes, content: Attributes, policy: ContentPolicy) -> Attributes:
    """What is stored as attributes under this policy: never content, whose number is left behind where it is dropped."""
    if policy.redact:
        attributes = {key: redacted(value, redact_secrets) for key, value in attributes.items()}
    if policy.keep or not content:
        return attributes
    return {**attributes, CONTENT_DROPPED: len(content)}


def kept_text(
    content: Attributes, events: Sequence[tuple[Event, Attributes]], body: AttributeValue, policy: ContentPolicy
) -> Text | None:
    """The content of a record's attributes, events and body as it is stored if it is kept; None where there is none."""
    of_events = [(place, event.name, said) for place, (event, said) in enumerate(events) if said]
    if not content and not of_events and body is None:
        return None
    if not policy.redact:
        return Text(content, of_events, body)
    return Text(
        _redacted_personal(content),
        [(place, name, _redacted_personal(said)) for place, name, said in of_events],
        redacted(body, redact_personal),
    )


def with_count(attributes: Attributes, text: Text) -> Attributes:
    """The attributes, saying how many values of text are kept beside them."""
    count = len(text.attributes) + sum(len(said) for _, _, said in text.events) + (text.body is not None)
    return {**attributes, CONTENT_KEPT: count}


def _redacted_personal(content: Attributes) -> Attributes:
    return {key: redacted(value, redact_personal) for key, value in content.items()}
