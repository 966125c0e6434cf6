"""Who answered: Inspect's model names, ``provider/…/name``, read as organisation and family.

The provider is who was called, not always who made the model: hosts name the maker in a later
segment, or only in the name. What the tables below do not know is left open, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from suites.identity import family_of


@dataclass(frozen=True)
class ModelName:
    """What a model's name says.

    Attributes
    ----------
    model : str
        The name as it was logged, or its canonical form if routes are merged.
    organisation : str or None
        Who made it; None where the name does not say.
    family : str or None
        The stem and the major version: ``claude-sonnet-4``, ``gemini-2.5``.
    snapshot : str or None
        The date or ``latest``, ``preview`` … at its end.
    """

    model: str
    organisation: str | None
    family: str | None
    snapshot: str | None


# Providers that host the models of many, by what stands before the name of a model: its maker, or
# where it runs (then the name itself tells the maker, where it can).
_PROVIDERS = """
maker/name  openrouter together hf hf-inference-providers vllm vllm-completions sglang bedrock
maker/name  litellm-proxy cloudflare cf sambanova vertex sagemaker llama-cpp-python
maker/name  transformer_lens nnterp
where/name  azureai ollama groq fireworks openai-api openai-api-completions
"""

# Stand-ins: nobody made them.
_NOBODY = frozenset({"mockllm", "none"})

# Each line: an organisation, then its other names, as providers and hosts write them.
_ALIASES = """
xai        x-ai grok
meta       meta-llama facebook
mistral    mistralai mistral-ai
deepseek   deepseek-ai
moonshot   moonshotai moonshot-ai
zai        z-ai zai-org thudm zhipuai zhipu
qwen       alibaba alibaba-cloud
cohere     cohereforai coherelabs
ai21       ai21labs
ibm        ibm-granite
minimax    minimaxai
xiaomi     xiaomimimo
bytedance  bytedance-seed
stepfun    stepfun-ai
lg         lgai-exaone
openai
anthropic
google     deepmind google-deepmind
perplexity perplexity-ai
microsoft
nvidia
amazon     aws
tencent
allenai
"""

# Each line: an organisation, then how the names of its models begin.
_BEGINNINGS = r"""
openai    gpt o\d chatgpt davinci text-davinci codex
anthropic claude
google    gemini gemma palm
meta      (meta-)?llama codellama
qwen      qwen qwq qvq
mistral   mistral mixtral ministral codestral devstral magistral pixtral
deepseek  deepseek
microsoft phi
xai       grok
moonshot  kimi
zai       glm chatglm
cohere    command
tencent   hy\d hunyuan
xiaomi    mimo
amazon    nova titan
"""


def _table(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


_HOSTS = {host: line[0] for line in _table(_PROVIDERS) for host in line[1:]}
_ORGANISATION = {name: line[0] for line in _table(_ALIASES) for name in line}
_BEGINS = [
    (re.compile(rf"(?:{'|'.join(beginnings)})(?![a-z])"), organisation)
    for organisation, *beginnings in _table(_BEGINNINGS)
]

# Bedrock writes the maker before a dot, behind a region: us.anthropic.claude-….
_DOTTED = re.compile(r"(?:(?:us|eu|apac|global|us-gov|jp|au)\.)?([a-z0-9-]+)\.(?=[a-z])")

_SNAPSHOT = re.compile(
    r"""
    (?: [-@:] (?:
        (?:19|20)\d\d-?\d\d-?\d\d               # 20250514, 2024-08-06
      | latest
      | (?:preview|exp|beta) (?:-?\d\d-?(?:\d{4}|\d\d))?   # preview, preview-05-06
      | \d{4} | 00\d                            # 0613, 2411, 001
    ) )+
    (?: -v\d+ (?: :\d+ )? )?                    # Bedrock's revision
    $ | -v\d+:\d+ $
    """,
    re.VERBOSE,
)
_ROUTE_VARIANT = re.compile(r":(free|nitro|floor|exacto)$")


@lru_cache(maxsize=4096)
def model_name(raw: str, merge_routes: bool = False) -> ModelName:
    """Read a model's name.

    Parameters
    ----------
    raw : str
        ``eval.model`` of a log.
    merge_routes : bool
        Give a model one name whichever provider served it, and whichever snapshot. Not the default:
        providers differ in quantisation and sampling.

    Examples
    --------
    >>> name = model_name("anthropic/claude-sonnet-4-20250514")
    >>> name.organisation, name.family, name.snapshot
    ('anthropic', 'claude-sonnet-4', '20250514')
    >>> model_name("openrouter/x-ai/grok-4.3").organisation
    'xai'
    >>> [model_name(raw, merge_routes=True).model for raw in ("openai/gpt-4o-2024-08-06",
    ...     "openrouter/openai/gpt-4o", "openai/azure/gpt-4o")]
    ['openai/gpt-4o', 'openai/gpt-4o', 'openai/gpt-4o']
    >>> model_name("mockllm/model").organisation is None
    True
    """
    segments = [segment for segment in raw.split("/") if segment]
    if not segments or segments[0].lower() in _NOBODY:
        return ModelName(raw, None, None, None)
    organisation = _organisation(segments)
    name = segments[-1].lower()
    dotted = _DOTTED.match(name)
    if dotted and dotted[1] in _ORGANISATION:
        name = name[dotted.end() :]
    name = _ROUTE_VARIANT.sub("", name)
    found = _SNAPSHOT.search(name)
    base, snapshot = name, None
    if found and found.start() > 0:
        base, snapshot = name[: found.start()], name[found.start() + 1 :]
    if organisation == "anthropic":  # some hosts write 4.5 for its 4-5
        base = base.replace(".", "-")
    model = f"{organisation}/{base}" if merge_routes and organisation else raw
    return ModelName(model, organisation, _family(base, organisation), snapshot)


def _organisation(segments: list[str]) -> str | None:
    """Say who made a model."""
    provider, *rest = (segment.lower() for segment in segments)
    name = rest[-1] if rest else provider
    dotted = _DOTTED.match(name)
    if not rest:
        return _by_name(name)
    if dotted and dotted[1] in _ORGANISATION:
        return _ORGANISATION[dotted[1]]
    if provider not in _HOSTS:
        return _ORGANISATION.get(provider, provider)
    owners = rest[:-1]
    if not owners or owners[0] == "accounts":  # fireworks/accounts/…/models/name
        return _by_name(name)
    if owners[0] in _HOSTS:  # a route through another route
        return _organisation(segments[1:])
    known = next((_ORGANISATION[o] for o in reversed(owners) if o in _ORGANISATION), None)
    if known is None and _HOSTS[provider] == "where/name":
        known = _by_name(name)
    return known or owners[-1]


def _by_name(name: str) -> str | None:
    return next((organisation for begins, organisation in _BEGINS if begins.match(name)), None)


_SIZE = re.compile(r"(\d+x)?\d+(\.\d+)?[bm]")


def _family(base: str, organisation: str | None) -> str | None:
    """Give the stem and the major version of a name in lower case, without its snapshot."""
    name, _, _ = base.partition(":")  # Ollama's tags are sizes
    name = re.sub(r"^meta-(?=llama)", "", name)
    name = re.sub(r"\bv(\d)p(\d)\b", r"\1.\2", name)  # Fireworks' dots
    name = re.sub(r"(?<![a-z0-9])([a-z]{2,})(?=\d)", r"\1-", name)  # llama3.1; not o3
    if organisation != "anthropic":  # Azure's dots; Anthropic means these dashes
        name = re.sub(r"(?<=[a-z]-\d)-(\d)(?=-|$)", r".\1", name)
    stem: list[str] = []
    for word in filter(None, re.split(r"[-_ ]", name)):
        if stem and _SIZE.fullmatch(word):
            break
        stem.append(word)
        if not word.isalpha():  # the version: 4, 4o, v3, k2
            return "-".join(stem)
    return family_of("-".join(stem))
