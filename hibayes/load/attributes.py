"""`View`: decoded JSON whose fields are attributes, as those of Inspect's own objects are."""

from __future__ import annotations

from typing import Any

from suites.inspect.samples import content_text

_PLAIN = frozenset(
    {"metadata", "params", "arguments", "task_args", "model_args", "options", "args", "store"}
)
"""Fields that are dictionaries in Inspect's own objects too."""

_FIELDS = """
id content source metadata internal model tool_calls tool_call_id function error usage time
choices completion logprobs stop_reason input_tokens output_tokens total_tokens
input_tokens_cache_write input_tokens_cache_read reasoning_tokens total_cost answer explanation
history name location samples sample_ids shuffled limit epochs epochs_reducer message_limit
token_limit time_limit working_limit fail_on_error sandbox solver solver_args tags revision
packages scorers metrics headline_metric eval_set_id eval_id run_id task_id task_version
task_file task_display_name task_registry_name task_attribs task_args task_args_passed created
dataset model_generate_config model_base_url model_roles config params started_at completed_at
model_usage role_usage timestamp temperature max_tokens top_p seed system_message
reasoning_effort traceback type message commit origin dirty
"""
_OPTIONAL = frozenset(_FIELDS.split())
"""Fields that Inspect leaves out of its JSON when they are null."""


class View(dict[str, Any]):
    """A decoded object whose fields are attributes too; one that Inspect may omit is None.

    Examples
    --------
    >>> step = View({"solver": "use_tools", "params": {"tools": [{"name": "bash"}]}})
    >>> step.solver, step.params["tools"][0]["name"]
    ('use_tools', 'bash')
    >>> View({"role": "user", "content": [{"type": "text", "text": "Hi"}]}).text
    'Hi'
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name in self:
            value = self[name]
            return value if name in _PLAIN else viewed(value)
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "text" and "content" in self:
            return content_text(self["content"])
        if name in ("completion", "message", "stop_reason") and isinstance(
            self.get("choices"), list
        ):
            return _of_choice(self, name)
        if name in _OPTIONAL:
            return None
        raise AttributeError(
            f"the log has no field {name!r} here; it has {', '.join(map(str, self)) or 'none'}. "
            "An extractor that needs Inspect's own objects says so: "
            '@extractor(needs="inspect_ai").'
        )


class Said(str):
    """A text that Inspect's objects hold in a field: ``error.message``, ``limit.type``."""

    __slots__ = ()

    @property
    def message(self) -> str:
        """The text."""
        return str(self)

    @property
    def type(self) -> str:
        """The text."""
        return str(self)


def viewed(value: Any) -> Any:
    """Give attributes to decoded JSON, at every depth."""
    if isinstance(value, View):
        return value
    if isinstance(value, dict):
        return View(value)
    if isinstance(value, list):
        return [viewed(each) for each in value]
    return value


def _of_choice(output: View, name: str) -> Any:
    choice = next(iter(output.choices), None)
    if choice is None:
        return "" if name == "completion" else None
    if name == "stop_reason":
        return choice.get("stop_reason")
    message = viewed(choice.get("message"))
    return message if name == "message" else (message.text if message is not None else "")
