"""Inspect's model names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.inspect.models import model_name


@pytest.mark.parametrize(
    ("raw", "organisation", "family", "snapshot"),
    [
        # first-party
        ("anthropic/claude-sonnet-4-20250514", "anthropic", "claude-sonnet-4", "20250514"),
        ("anthropic/claude-sonnet-4-0", "anthropic", "claude-sonnet-4", None),
        ("anthropic/claude-haiku-4-5", "anthropic", "claude-haiku-4", None),
        ("anthropic/claude-opus-4-6", "anthropic", "claude-opus-4", None),
        ("anthropic/claude-3-5-sonnet-latest", "anthropic", "claude-3", "latest"),
        ("anthropic/vertex/claude-haiku-4-5@20251001", "anthropic", "claude-haiku-4", "20251001"),
        ("openai/gpt-5", "openai", "gpt-5", None),
        ("openai/gpt-4o-mini-2024-07-18", "openai", "gpt-4o", "2024-07-18"),
        ("openai/gpt-4-0613", "openai", "gpt-4", "0613"),
        ("openai/o3-mini", "openai", "o3", None),
        ("openai/azure/gpt-4o-mini", "openai", "gpt-4o", None),
        ("google/gemini-2.5-pro", "google", "gemini-2.5", None),
        ("google/gemini-2.5-pro-preview-05-06", "google", "gemini-2.5", "preview-05-06"),
        ("google/gemini-2.0-flash-001", "google", "gemini-2.0", "001"),
        ("mistral/mistral-large-latest", "mistral", "mistral", "latest"),
        ("mistral/mistral-medium-3-5", "mistral", "mistral-medium-3.5", None),
        ("grok/grok-4", "xai", "grok-4", None),
        ("deepseek/deepseek-r1-0528", "deepseek", "deepseek-r1", "0528"),
        # hosts
        ("openrouter/x-ai/grok-4.3", "xai", "grok-4.3", None),
        ("openrouter/openai/gpt-5.4", "openai", "gpt-5.4", None),
        ("openrouter/tencent/hy3-preview", "tencent", "hy-3", "preview"),
        ("openrouter/xiaomi/mimo-v2.5", "xiaomi", "mimo-v2.5", None),
        ("openrouter/anthropic/claude-opus-4.6", "anthropic", "claude-opus-4", None),
        ("openrouter/some-lab/thing-2", "some-lab", "thing-2", None),
        ("together/meta-llama/Llama-3.3-70B-Instruct-Turbo", "meta", "llama-3.3", None),
        ("hf/Qwen/Qwen2.5-7B", "qwen", "qwen-2.5", None),
        ("hf/NousResearch/Hermes-3-Llama-3.1-8B", "nousresearch", "hermes-3", None),
        ("hf/local", None, "local", None),
        ("vllm/mistralai/Mixtral-8x7B-Instruct-v0.1", "mistral", "mixtral", None),
        ("bedrock/anthropic.claude-3-opus-20240229-v1:0", "anthropic", "claude-3", "20240229-v1:0"),
        ("bedrock/us.meta.llama3-1-70b-instruct-v1:0", "meta", "llama-3.1", "v1:0"),
        ("bedrock/amazon.nova-pro-v1:0", "amazon", "nova", "v1:0"),
        ("openai-api/moonshot/kimi-k3", "moonshot", "kimi-k3", None),
        ("openai-api/my-server/qwen3-8b", "qwen", "qwen-3", None),
        ("openai-api/my-server/thing", "my-server", "thing", None),
        ("litellm-proxy/bedrock/anthropic.claude-sonnet-4", "anthropic", "claude-sonnet-4", None),
        ("fireworks/accounts/fireworks/models/llama-v3p1-8b-instruct", "meta", "llama-3.1", None),
        ("sambanova/Meta-Llama-3.1-8B-Instruct", "meta", "llama-3.1", None),
        # only the name tells
        ("ollama/llama3.1", "meta", "llama-3.1", None),
        ("ollama/qwen2.5:0.5b", "qwen", "qwen-2.5", None),
        ("ollama/gemma3:latest", "google", "gemma-3", "latest"),
        ("ollama/hf.co/someone/Phi-3-mini", "microsoft", "phi-3", None),
        ("groq/llama-3.1-70b-versatile", "meta", "llama-3.1", None),
        ("groq/moonshotai/kimi-k2-instruct", "moonshot", "kimi-k2", None),
        ("azureai/Meta-Llama-3-1-405B-Instruct-jqf", "meta", "llama-3.1", None),
        ("azureai/our-deployment", None, "our-deployment", None),
        ("gpt-oss-120b", "openai", "gpt-oss", None),
        ("phind-7b", None, "phind", None),
        # providers that a package registers
        ("fir/fir-1b", "fir", "fir", None),
        ("hardcoded/hardcoded", "hardcoded", "hardcoded", None),
        # nobody's
        ("mockllm/model", None, None, None),
        ("none/none", None, None, None),
        ("none/none#01234567", None, None, None),
        ("", None, None, None),
        ("/", None, None, None),
        ("...", None, "...", None),
    ],
)  # fmt: skip
def test_what_a_name_says(raw, organisation, family, snapshot):
    name = model_name(raw)
    assert name.model == raw
    assert (name.organisation, name.family, name.snapshot) == (organisation, family, snapshot)


@pytest.mark.parametrize(
    ("model", "routes"),
    [
        (
            "openai/gpt-4o",
            ["openai/gpt-4o-2024-08-06", "openrouter/openai/gpt-4o", "azureai/gpt-4o"],
        ),
        (
            "anthropic/claude-opus-4-6",
            [
                "anthropic/claude-opus-4-6",
                "openrouter/anthropic/claude-opus-4.6",
                "openrouter/anthropic/claude-opus-4.6:free",
                "bedrock/us.anthropic.claude-opus-4-6-20260205-v1:0",
                "anthropic/vertex/claude-opus-4-6@20260205",
            ],
        ),
        ("xai/grok-4.3", ["grok/grok-4.3", "openrouter/x-ai/grok-4.3"]),
        ("qwen/qwen2.5:0.5b", ["ollama/qwen2.5:0.5b"]),
        ("azureai/our-deployment", ["azureai/our-deployment"]),
        ("mockllm/model", ["mockllm/model"]),
    ],
)
def test_routes_are_merged_only_on_request(model, routes):
    assert {model_name(raw, merge_routes=True).model for raw in routes} == {model}
    assert [model_name(raw).model for raw in routes] == routes
    assert len({model_name(raw).organisation for raw in routes}) == 1
    assert len({model_name(raw).family for raw in routes}) == 1


@given(st.text(max_size=30) | st.text("aclud-/.:@_0123456789", max_size=40), st.booleans())
def test_any_text_is_a_name(raw, merge):
    name = model_name(raw, merge)
    assert merge or name.model == raw
    assert "" not in (name.organisation, name.family, name.snapshot)
