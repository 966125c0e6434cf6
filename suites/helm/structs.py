"""HELM's JSON files: tolerant decoding, and typed structs of every field of HELM 0.1 to 0.5.16.

Keys that no struct names are kept in its ``extra``; nothing that stands in a file is dropped.
"""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from suites.errors import UsageError

T = TypeVar("T")
Number = int | float

_BYTE = re.compile(r"\(byte (\d+)\)")


class HelmFileError(UsageError):
    """A file of a run cannot be used.

    Attributes
    ----------
    path : str
        The file.
    offset : int or None
        Where in it, in bytes.
    code : str
        ``missing-file``, ``bad-file`` (cannot be read), ``bad-json`` (not JSON), ``bad-content``
        (other JSON than HELM writes).
    """

    def __init__(self, path: str | Path, what: str, *, code: str, offset: int | None = None):
        self.path = str(path)
        self.offset = offset
        self.code = code
        self.what = what
        at = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{self.path}{at}: {what}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (type(self), self.path, self.what, self.code, self.offset)


class MissingHelmFile(HelmFileError, FileNotFoundError):
    """A file of a run is not there."""

    def __init__(self, path: str | Path, what: str):
        super().__init__(path, what, code="missing-file")

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def _remake(
    type_: type[HelmFileError], path: str, what: str, code: str, offset: int | None
) -> HelmFileError:
    if type_ is MissingHelmFile:
        return MissingHelmFile(path, what)
    return HelmFileError(path, what, code=code, offset=offset)


def read_bytes(path: str | Path) -> bytes:
    """Read a file whole.

    Raises
    ------
    MissingHelmFile
        If it is not there.
    HelmFileError
        If it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as err:
        folder = Path(path).parent
        if folder.is_dir():
            there = sorted(p.name for p in folder.iterdir())[:8]
            what = f"the run has no such file (its folder holds {', '.join(there) or 'nothing'})"
        else:
            what = "there is no such file, and no such folder"
        raise MissingHelmFile(path, what) from err
    except OSError as err:
        raise HelmFileError(
            path, f"cannot be read: {err.strerror or err}", code="bad-file"
        ) from err


def decode_json(data: bytes, path: str | Path) -> Any:
    """Decode JSON; bare ``NaN`` and ``Infinity``, which old files hold, are understood.

    Parameters
    ----------
    data : bytes
        The file's content, UTF-8.
    path : path
        Its name, for the error.

    Raises
    ------
    HelmFileError
        With the byte offset, if it is not JSON.

    Examples
    --------
    >>> decode_json(b'{"mean": NaN}', "stats.json")
    {'mean': nan}
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        text = data.decode("utf-8-sig")
        return json.loads(text)
    except UnicodeDecodeError as err:
        what, offset = f"not UTF-8 text ({err.reason})", err.start
    except json.JSONDecodeError as err:
        what, offset = f"not valid JSON: {err.msg}", len(text[: err.pos].encode())
    except (RecursionError, ValueError) as err:
        what, offset = f"not JSON that can be read: {err}", 0
    if not data.strip():
        what, offset = "the file is empty", 0
    elif offset >= len(data.rstrip()):
        what = "the file ends too early"
    raise HelmFileError(path, what, code="bad-json", offset=offset)


def load_json(path: str | Path, expect: type | None = None) -> Any:
    """Read and decode one JSON file.

    Parameters
    ----------
    path : path
        The file.
    expect : type, optional
        ``dict`` or ``list``: what its outermost value has to be.

    Raises
    ------
    HelmFileError
        If it is missing, is not JSON, or holds something else.
    """
    content = decode_json(read_bytes(path), path)
    if expect is not None and not isinstance(content, expect):
        wanted = "an object" if expect is dict else "a list"
        what = f"expected {wanted}, found {type(content).__name__}"
        raise HelmFileError(path, what, code="bad-content", offset=0)
    return content


class Perturbation:
    """How an instance was changed: HELM's PerturbationDescription, with all fields of its subclass.

    Every field is an attribute; `fields` is the whole object. Equal and hashable by content.

    Examples
    --------
    >>> p = Perturbation({"name": "misspellings", "robustness": True, "prob": 0.5})
    >>> p.name, p.prob, p.computed_on
    ('misspellings', 0.5, 'perturbed')
    """

    __slots__ = ("_key", "fields")

    _DEFAULTS: typing.ClassVar[dict[str, Any]] = {
        "name": None,
        "robustness": False,
        "fairness": False,
        "computed_on": "perturbed",
        "seed": None,
    }

    def __init__(self, fields: Mapping[str, Any]):
        self.fields = dict(fields)
        self._key = json.dumps(self.fields, sort_keys=True)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            if name in self.fields:
                return self.fields[name]
            if name in self._DEFAULTS:
                return self._DEFAULTS[name]
        raise AttributeError(
            f"this perturbation has no field {name!r}; it has {sorted(self.fields)}"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Perturbation) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __reduce__(self) -> tuple[Any, ...]:
        return Perturbation, (self.fields,)

    def __repr__(self) -> str:
        inner = ", ".join(f"{k}={v!r}" for k, v in self.fields.items())
        return f"Perturbation({inner})"


class _Struct(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of the structs; ``extra`` holds keys that none of the known versions writes."""

    extra: dict[str, Any] = {}


class ScenarioSpec(_Struct):
    """Which scenario, with which arguments (also of metrics, annotators, perturbations)."""

    class_name: str = ""
    args: dict[str, Any] = {}


class AdapterSpec(_Struct):
    """How instances become prompts, and how the model is asked."""

    method: str = ""
    global_prefix: str = ""
    global_suffix: str = ""
    instructions: str = ""
    input_prefix: str = "Input: "
    input_suffix: str = "\n"
    reference_prefix: str = "A. "
    reference_prefix_characters: list[str] | None = None
    reference_suffix: str = "\n"
    chain_of_thought_prefix: str = ""
    chain_of_thought_suffix: str = "\n"
    output_prefix: str = "Output: "
    output_suffix: str = "\n"
    instance_prefix: str = "\n"
    substitutions: list[Any] = []
    max_train_instances: int = 5
    max_eval_instances: int | None = None
    num_outputs: int = 5
    num_train_trials: int = 1
    num_trials: int = 1
    sample_train: bool = True
    model_deployment: str = ""
    model: str = ""
    temperature: Number = 1
    max_tokens: int = 100
    stop_sequences: list[str] = []
    random: str | None = None
    multi_label: bool = False
    image_generation_parameters: dict[str, Any] | None = None
    reeval_parameters: dict[str, Any] | None = None
    eval_splits: list[str] | None = None
    output_mapping_pattern: str | None = None


class DataAugmenterSpec(_Struct):
    """Which perturbations, of what."""

    perturbation_specs: list[ScenarioSpec] = []
    should_augment_train_instances: bool = False
    should_include_original_train: bool = False
    should_skip_unchanged_train: bool = False
    should_augment_eval_instances: bool = False
    should_include_original_eval: bool = False
    should_skip_unchanged_eval: bool = False
    seeds_per_instance: int = 1


class RunSpec(_Struct):
    """run_spec.json."""

    name: str
    scenario_spec: ScenarioSpec
    adapter_spec: AdapterSpec
    metric_specs: list[ScenarioSpec] = []
    data_augmenter_spec: DataAugmenterSpec | None = None
    groups: list[str] = []
    annotators: list[ScenarioSpec] | None = None


class Scenario(_Struct):
    """scenario.json."""

    name: str = ""
    description: str = ""
    tags: list[str] = []
    definition_path: str | None = None


class Content(_Struct):
    """Text of an instance or a reference, with media and messages where there are any."""

    text: str = ""
    multimedia_content: dict[str, Any] | None = None
    messages: list[Any] | None = None


class Reference(_Struct):
    """One possible answer. Its output is a plain string in HELM 0.1."""

    output: Content | str
    tags: list[str] = []


class Instance(_Struct):
    """One question. Its input is a plain string in HELM 0.1."""

    input: Content | str
    references: list[Reference] = []
    split: str | None = None
    sub_split: str | None = None
    id: str | None = None
    perturbation: Perturbation | None = None
    contrast_inputs: list[Any] | None = None
    contrast_references: list[Any] | None = None
    extra_data: dict[str, Any] | None = None


class Request(_Struct):
    """What was sent to the model."""

    model_deployment: str = ""
    model: str = ""
    embedding: bool = False
    prompt: str = ""
    temperature: Number = 1.0
    num_completions: int = 1
    top_k_per_token: int = 1
    max_tokens: int = 100
    stop_sequences: list[str] = []
    echo_prompt: bool = False
    top_p: Number = 1
    presence_penalty: Number = 0
    frequency_penalty: Number = 0
    random: str | None = None
    messages: list[Any] | None = None
    multimodal_prompt: dict[str, Any] | None = None
    image_generation_parameters: dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None


class Token(_Struct):
    """One token of a completion."""

    text: str = ""
    logprob: Number | None = None
    top_logprobs: dict[str, Number] | None = None


class Completion(_Struct):
    """One answer of the model. A logprob of 0 means that the host gave none."""

    text: str = ""
    logprob: Number | None = None
    tokens: list[Token] = []
    finish_reason: dict[str, Any] | None = None
    multimodal_content: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None


class Result(_Struct):
    """What came back. ``request_time`` is in seconds, ``request_datetime`` Unix seconds."""

    success: bool = True
    embedding: list[Number] = []
    completions: list[Completion] = []
    cached: bool = False
    request_time: Number | None = None
    request_datetime: Number | None = None
    error: str | None = None
    error_flags: dict[str, Any] | None = None
    batch_size: Number | None = None
    batch_request_time: Number | None = None


class RequestState(_Struct, kw_only=True):
    """One request with its instance and its result (None in dry runs)."""

    instance: Instance
    reference_index: int | None = None
    request_mode: str | None = None
    train_trial_index: int = 0
    output_mapping: dict[str, str] | None = None
    request: Request
    result: Result | None = None
    num_train_instances: int | None = None
    prompt_truncated: bool | None = None
    num_conditioning_tokens: int | None = None
    annotations: dict[str, Any] | None = None


class ScenarioState(_Struct):
    """scenario_state.json."""

    adapter_spec: AdapterSpec
    request_states: list[RequestState] = []
    annotator_specs: list[ScenarioSpec] | None = None


class MetricName(_Struct):
    """What a Stat is of: name, part, sub-part and perturbation."""

    name: str
    split: str | None = None
    sub_split: str | None = None
    perturbation: Perturbation | None = None


class Stat(_Struct):
    """A mean and its parts. In stats.json `count` is the number of trials, not of instances."""

    name: MetricName
    count: int = 0
    sum: Number = 0
    sum_squared: Number = 0
    min: Number | None = None
    max: Number | None = None
    mean: Number | None = None
    variance: Number | None = None
    stddev: Number | None = None


class PerInstanceStats(_Struct):
    """One record of per_instance_stats.json: one metric object's Stats of one instance."""

    instance_id: str
    perturbation: Perturbation | None = None
    train_trial_index: int = 0
    stats: list[Stat] = []


def decode_struct(data: bytes, type_: type[T], path: str | Path) -> T:
    """Decode a file into structs; fields that the structs lack go to their ``extra``.

    Parameters
    ----------
    data : bytes
        The file's content.
    type_ : type
        `RunSpec`, `Scenario`, `ScenarioState`, ``list[Stat]`` or ``list[PerInstanceStats]``.
    path : path
        Its name, for the error.

    Raises
    ------
    HelmFileError
        If it is not JSON, or does not have this shape.

    Examples
    --------
    >>> spec = decode_struct(b'{"class_name": "m.C", "since": 2031}', ScenarioSpec, "x.json")
    >>> spec.class_name, spec.extra
    ('m.C', {'since': 2031})
    """
    try:
        return _decoder(cast(Any, type_)).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # a field that no version so far has, or a bare NaN: the careful way
    content = decode_json(data, path)
    try:
        gathered = _gather(content, type_)
        return msgspec.convert(gathered, type_, strict=False, dec_hook=_custom)
    except msgspec.ValidationError as err:
        raise HelmFileError(path, f"not what HELM writes: {err}", code="bad-content") from err


@cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_, dec_hook=_custom)


def _custom(type_: type, value: Any) -> Any:
    if type_ is Perturbation and isinstance(value, Mapping):
        return Perturbation(value)
    raise NotImplementedError(f"{type_.__name__} from {type(value).__name__}")


def _gather(value: Any, type_: Any) -> Any:
    """Move the keys that a struct does not name into its ``extra``, at every depth."""
    if isinstance(value, list):
        inner = [t for t in _options(type_) if typing.get_origin(t) is list]
        return [_gather(v, typing.get_args(inner[0])[0]) for v in value] if inner else value
    if isinstance(value, dict):
        for struct in _options(type_):
            if isinstance(struct, type) and issubclass(struct, _Struct):
                known = _field_types(struct)
                out = {k: _gather(v, known[k]) for k, v in value.items() if k in known}
                extra = {k: v for k, v in value.items() if k not in known}
                return {**out, "extra": extra} if extra else out
    return value


def _options(type_: Any) -> Iterator[Any]:
    if typing.get_origin(type_) in (typing.Union, types.UnionType):
        yield from typing.get_args(type_)
    else:
        yield type_


@cache
def _field_types(struct: type) -> dict[str, Any]:
    hints = typing.get_type_hints(struct)
    return {field: hints[field] for field in struct.__struct_fields__ if field != "extra"}  # type: ignore[attr-defined]


class LightName(msgspec.Struct, gc=False):
    """`MetricName`, its perturbation left undecoded: the fast path."""

    name: str
    split: str | None = None
    sub_split: str | None = None
    perturbation: msgspec.Raw = msgspec.Raw()


class LightStat(msgspec.Struct, gc=False):
    """What a table of responses or a published figure needs of a `Stat`."""

    name: LightName
    count: Number = 0
    sum: float | None = None
    mean: float | None = None


class LightRecord(msgspec.Struct, gc=False):
    """What a table of responses needs of a `PerInstanceStats`."""

    instance_id: str
    stats: list[LightStat]
    perturbation: msgspec.Raw = msgspec.Raw()
    train_trial_index: int = 0


def decode_light(data: bytes, type_: type[T], path: str | Path) -> T:
    """Decode only what the light structs name; bare ``NaN`` is understood.

    Raises
    ------
    HelmFileError
        If it is not JSON, or does not have this shape.
    """
    try:
        return _decoder(cast(Any, type_)).decode(data)
    except msgspec.ValidationError as err:
        # not JSON's fault, unless what follows is broken too
        decode_json(data, path)
        raise HelmFileError(path, f"not what HELM writes: {err}", code="bad-content") from err
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        content = decode_json(data, path)
        plain = msgspec.json.encode(_nan_to_none(content))
        try:
            return _decoder(cast(Any, type_)).decode(plain)
        except msgspec.ValidationError as err:
            raise HelmFileError(path, f"not what HELM writes: {err}", code="bad-content") from err


def _nan_to_none(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {k: _nan_to_none(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_nan_to_none(v) for v in value]
    return value
