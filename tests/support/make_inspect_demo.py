"""Make the Inspect half of the demo data by really running inspect_ai on made-up models.

Twelve of the made-up models of the HELM demo answer ten tasks (thirteen scenarios) through
`inspect_ai.eval`: its tasks, solvers, scorers, reducers and log writer. Only the models are
ours: a model API under each organisation's name draws every answer from a known truth, which is
written beside the logs as ``truth.json``.

The truth. A model m meets item i of scenario s, whose domain is d, with the skill::

    skill = ability[m] + in_domain[m, d] + in_scenario[m, s]
    q     = 1 / (1 + exp(-discrimination[i] * (skill - difficulty[i])))

The abilities are those behind the HELM demo, so that what is learned in one world helps in the
other. ``in_domain`` (sd 0.45) and ``in_scenario`` (sd 0.25) are normal draws. What q does to the
answer depends on the scenario's kind and is told by `expected`: right with probability
floor + (1 - floor) q; or graded C, P or I; or a share of the whole. Everything is drawn from
hashes of `SEED` and of names, so no draw depends on another.

What real folders have is here too; see `README`. After the runs, what a clock or a random
generator had put into the logs (times, ids) is replaced by fixed values, transcripts (events) are
left out, and tracebacks are cut. The logs are written by `inspect_ai.log` and then packed: the
members of most are stored, not compressed, because the archive around them compresses all of them
together (each on its own they take 5 MB). With the same versions of inspect_ai and zstandard two
runs give the same bytes; another version of inspect_ai gives other fields.

Needs inspect_ai (made with 0.3.285), nothing else, and no network. Use::

    python make_inspect_demo.py OUT                                  # writes OUT/inspect-standin
    python make_inspect_demo.py OUT --pack inspect-standin.tar.zst   # and the archive
"""

from __future__ import annotations

import argparse
import datetime as dt
import getpass
import hashlib
import io
import json
import math
import os
import random
import re
import shutil
import signal
import socket
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard
from inspect_ai import Epochs, Task, eval, eval_set, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import (
    EvalLog,
    ProvenanceData,
    condense_sample,
    edit_score,
    invalidate_samples,
    read_eval_log,
    write_eval_log,
)
from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    Model,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.scorer import (
    Score,
    ScoreEdit,
    Scorer,
    Target,
    choice,
    exact,
    f1,
    includes,
    match,
    mean,
    model_graded_qa,
    scorer,
    stderr,
)
from inspect_ai.solver import TaskState, generate, multiple_choice, system_message

SEED = 20260201
GRADER = "referee/referee-1"
FIRST_DAY = dt.datetime(2026, 2, 2, 9, 0, tzinfo=dt.UTC)

# The abilities of the HELM demo. Two of its models are left out here: no world has all of them.
ABILITY = {
    "acorn/oak-1b": -1.5,
    "acorn/oak-7b": -0.5,
    "acorn/oak-70b": 0.9,
    "birchlab/birch-small": -0.8,
    "birchlab/birch-large": 0.6,
    "birchlab/birch-xl": 1.5,
    "cedar-ai/cedar-2-chat": 0.2,
    "cedar-ai/cedar-2-base": 0.1,
    "dogwood/dogwood-3b": -1.0,
    "elm/elm-guard": 0.4,
    "fir/fir-1b": 0.6,
    "gum/gum-1b": -0.9,
}
DOMAINS = ("numbers", "language", "knowledge", "reasoning")


def unit(*parts: object) -> float:
    """Draw a uniform number in (0, 1) that belongs to these parts."""
    words = "\x1f".join(map(str, (SEED, *parts)))
    digest = hashlib.sha256(words.encode()).digest()
    return (int.from_bytes(digest[:8], "big") + 0.5) / 2.0**64


def normal(*parts: object) -> float:
    """Draw a standard normal number that belongs to these parts."""
    return math.sqrt(-2 * math.log(unit("u", *parts))) * math.cos(2 * math.pi * unit("v", *parts))


# ------------------------------------------------------------------------------------ the truth


@dataclass(frozen=True)
class Scenario:
    """What was asked: a task with its arguments, and the parameters its items are drawn with."""

    task: str
    kind: str  # binary, graded, share, checklist or words: see `expected`
    n: int
    difficulty: float
    discrimination: float
    domains: tuple[str, ...]
    floor: float = 0.0
    epochs: int = 1
    subject: str | None = None

    @property
    def name(self) -> str:
        return f"{self.task}:subject={self.subject}" if self.subject else self.task


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("standin_arithmetic", "binary", 40, -0.6, 1.4, ("numbers",)),
        Scenario("standin_choice", "binary", 30, 0.1, 1.2, ("knowledge",), 0.25, 1, "harbours"),
        Scenario("standin_choice", "binary", 30, -0.3, 1.1, ("knowledge",), 0.25, 1, "fabrics"),
        Scenario("standin_choice", "binary", 30, 0.4, 1.3, ("knowledge",), 0.25, 1, "birds"),
        Scenario("standin_open", "graded", 36, 0.0, 1.0, ("knowledge", "language")),
        Scenario("standin_estimate", "share", 32, 0.2, 0.9, ("numbers",)),
        Scenario("standin_note", "checklist", 30, -0.4, 1.0, ("language",)),
        Scenario("standin_sequence", "binary", 24, 0.5, 1.5, ("reasoning",), 0.0, 3),
        Scenario("standin_puzzle", "binary", 24, 0.8, 1.2, ("reasoning", "numbers"), 0.0, 2),
        Scenario("standin_facts", "binary", 30, -0.2, 1.2, ("knowledge",), 0.0, 1, "glass"),
        Scenario("standin_facts", "binary", 30, 0.3, 1.0, ("knowledge",), 0.0, 1, "ropes"),
        Scenario("standin_claims", "binary", 40, -0.5, 1.1, ("reasoning", "language"), 0.5),
        Scenario("standin_extract", "words", 30, -0.3, 1.1, ("language",)),
    )
}
POLITENESS = 0.8  # how much easier it is to be polite than to name the facts
PARTLY = 0.6  # half the distance, in logits, between a grade of P or better and one of C
SPREAD = 6.0  # the concentration of the beta distribution of a share


def rounded(x: float) -> float:
    """Round as the truth file does, so that what is drawn is what is written."""
    return round(x, 3)


IN_DOMAIN = {m: {d: rounded(0.45 * normal("domain", m, d)) for d in DOMAINS} for m in ABILITY}
IN_SCENARIO = {m: {s: rounded(0.25 * normal("scenario", m, s)) for s in SCENARIOS} for m in ABILITY}


@dataclass(frozen=True)
class Item:
    """One question with its answer and its share of the truth."""

    number: int
    scenario: str
    domain: str
    difficulty: float
    discrimination: float
    text: str
    target: str | list[str]
    choices: list[str] = field(default_factory=list)

    def sample(self) -> Sample:
        """Give the item as inspect_ai wants it."""
        easier = self.difficulty - SCENARIOS[self.scenario].difficulty + 0.5 * normal(self.number)
        level = "easy" if easier < -0.5 else "hard" if easier > 0.5 else "medium"
        return Sample(
            id=self.number,
            input=self.text,
            target=self.target,
            choices=self.choices or None,
            metadata={"domain": self.domain, "difficulty": level},
        )


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def logit(model: str, item: Item) -> float:
    """Give the logit of q of a model on an item."""
    skill = ABILITY[model] + IN_DOMAIN[model][item.domain] + IN_SCENARIO[model][item.scenario]
    return item.discrimination * (skill - item.difficulty)


def expected(model: str, item: Item) -> dict[str, float]:
    """Give the expected value of each metric of one answer.

    Every kind but ``graded`` and ``checklist`` has one metric. ``graded``: C counts 1, P counts
    1/2. ``share``: beta distributed with mean q. ``checklist``: the share of three facts, each
    named with probability q, and politeness. ``words``: F1 of n words, each kept with
    probability q.
    """
    eta = logit(model, item)
    q = logistic(eta)
    scenario = SCENARIOS[item.scenario]
    if scenario.kind == "graded":
        return {"value": (logistic(eta - PARTLY) + logistic(eta + PARTLY)) / 2}
    if scenario.kind == "checklist":
        return {"facts": q, "polite": logistic(eta + POLITENESS * item.discrimination)}
    if scenario.kind == "words":
        n = len(item.target[0].split())
        mass = [math.comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(n + 1)]
        return {"value": sum(p * 2 * k / (n + k) for k, p in enumerate(mass))}
    return {"value": scenario.floor + (1 - scenario.floor) * q}


def truth() -> dict[str, Any]:
    """Give everything that the answers were drawn from, as it is written to ``truth.json``."""
    return {
        "about": "made-up models; see README.md. value_of_one_answer is its expectation.",
        "seed": SEED,
        "skill": "ability[model] + in_domain[model][domain] + in_scenario[model][scenario]",
        "q": "1 / (1 + exp(-eta)), eta = discrimination * (skill - difficulty)",
        "value_of_one_answer": {
            "binary": "floor + (1 - floor) * q; answers of several epochs are independent",
            "graded": "C=1, P=1/2, I=0: P(C) = 1 / (1 + exp(partly - eta)), "
            "P(C or P) = 1 / (1 + exp(-partly - eta))",
            "share": "q; distributed as beta(spread * q, spread * (1 - q))",
            "checklist": "facts: q, three independent facts; "
            "polite: 1 / (1 + exp(-(eta + politeness * discrimination)))",
            "words": "F1 2k / (n + k) of k words kept of n, k binomial(n, q)",
        },
        "partly": PARTLY,
        "spread": SPREAD,
        "politeness": POLITENESS,
        "ability": ABILITY,
        "in_domain": IN_DOMAIN,
        "in_scenario": IN_SCENARIO,
        "scenarios": {
            s.name: {
                "task": s.task,
                "args": {"subject": s.subject} if s.subject else {},
                "kind": s.kind,
                "floor": s.floor,
                "epochs": s.epochs,
                "difficulty": s.difficulty,
                "discrimination": s.discrimination,
                "items": {
                    str(item.number): {
                        "domain": item.domain,
                        "difficulty": item.difficulty,
                        "discrimination": item.discrimination,
                        **({"n": len(item.target[0].split())} if s.kind == "words" else {}),
                    }
                    for item in ITEMS.values()
                    if item.scenario == s.name
                },
            }
            for s in SCENARIOS.values()
        },
    }


# ------------------------------------------------------------------------------------ the items


def listed(words: str) -> list[str]:
    return words.split()


WORDS = listed(
    "amber anchor basket beacon bramble candle canvas cellar cobalt copper cradle crimson ember "
    "fennel ferry flint garnet ginger hazel hollow indigo ivory jasper kettle ladder lantern "
    "linen marble meadow mellow mortar nettle ochre olive orchard pebble pepper pewter quartz "
    "quiver ribbon russet saddle saffron scarlet shingle silver slender sparrow sturdy tallow "
    "tangle timber topaz umber velvet walnut willow wooden yonder"
)
NAMES = {
    "harbours": listed("Ardley Bosmere Cawton Dunwell Estmouth Fallow Gransby Holme"),
    "fabrics": listed("astrel bombine calico-9 damaret etamel fustine gabril holland-7"),
    "birds": listed("ashwing brookler cliffer dunlet eavesong fenrail gorsebird heathcock"),
}
ONES = listed(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
TENS = listed("twenty thirty forty fifty sixty seventy eighty ninety")


def spelled(n: int) -> str:
    """Spell a number below 100."""
    if n < 20:
        return ONES[n]
    return TENS[n // 10 - 2] + (f"-{ONES[n % 10]}" if n % 10 else "")


def question(scenario: Scenario, rng: random.Random) -> tuple[str, str | list[str], list[str]]:
    """Make up a question, its target and, for multiple choice, its choices."""
    one, two, three = rng.sample(WORDS, 3)
    match scenario.task:
        case "standin_arithmetic":
            a, b = rng.randint(11, 99), rng.randint(11, 99)
            return f"What is {spelled(a)} plus {spelled(b)}?", str(a + b), []
        case "standin_choice":
            names = rng.sample(NAMES[scenario.subject or ""], 4)
            asked = f"Which of the {scenario.subject} is named in the {one} {two} register?"
            return asked, rng.choice("ABCD"), names
        case "standin_open":
            things = rng.sample([w for w in WORDS if w not in (one, two)], 2)
            return f"What stood beside the {one}, by the {two} chronicle?", " ".join(things), []
        case "standin_estimate":
            asked = f"How many {one} boxes does the {two} store hold? Give a number."
            return asked, str(rng.randint(100, 900)), []
        case "standin_note":
            facts = rng.sample([w for w in WORDS if w != one], 3)
            return f"Write a polite note on the {one}: its maker, colour and place.", facts, []
        case "standin_sequence":
            return f"Which word comes after {one}, {two} in the old list?", three, []
        case "standin_puzzle":
            asked = f"A {one} crate holds {spelled(rng.randint(3, 60))} {two} trays. How many fit?"
            return asked, str(rng.randint(100, 999)), []
        case "standin_facts":
            asked = f"In the trade of {scenario.subject}, what is the {one} {two} made of?"
            return asked, three, []
        case "standin_claims":
            asked = f"Is the {one} {two} older than the {three}? Answer yes or no."
            return asked, rng.choice(["yes", "no"]), []
        case _:
            words = rng.sample([w for w in WORDS if w not in (one, two)], rng.randint(3, 6))
            return f"Copy the words that describe the {one} {two}.", [" ".join(words)], []


def build_items() -> dict[int, Item]:
    """Make all items; the same on every call."""
    items = {}
    for place, scenario in enumerate(SCENARIOS.values(), start=30):
        for i in range(scenario.n):
            number = 100 * place + i + 1
            text, target, choices = question(scenario, random.Random(SEED + number))
            items[number] = Item(
                number,
                scenario.name,
                scenario.domains[i % len(scenario.domains)],
                rounded(scenario.difficulty + normal("difficulty", number)),
                rounded(scenario.discrimination * math.exp(0.2 * normal("slope", number))),
                f"Item {number}. {text}",
                target,
                choices,
            )
    return items


ITEMS = build_items()


# ----------------------------------------------------------------------------------- the models


@dataclass
class World:
    """What the models know of the run they are in; set by the script before each evaluation."""

    salt: str = ""  # another salt, other answers: a rerun
    fails_at: int | None = None  # the item at which the service fails, once
    stops_at: int | None = None  # the item at which somebody stops the evaluation
    asked: dict[tuple[str, int], int] = field(default_factory=dict)

    def start(
        self, salt: str = "", fails_at: int | None = None, stops_at: int | None = None
    ) -> None:
        self.salt, self.fails_at, self.stops_at = salt, fails_at, stops_at
        self.asked.clear()


WORLD = World()


def other_word(target: str, *parts: object) -> str:
    words = [w for w in WORDS if w not in target]
    return words[int(unit("other", *parts) * len(words))]


def answer(model: str, item: Item, trial: int, salt: str) -> str:
    """Draw the answer of a model to an item."""
    key = (model, item.number, trial, salt)
    draw = unit("answer", *key)
    eta = logit(model, item)
    q = logistic(eta)
    target = item.target if isinstance(item.target, str) else item.target[0]
    scenario = SCENARIOS[item.scenario]
    if scenario.kind == "graded":
        first, second = target.split()
        if draw < logistic(eta - PARTLY):
            return f"It was the {first} {second}."
        if draw < logistic(eta + PARTLY):
            return f"It was the {first} {other_word(target, *key)}."
        return f"It was the {other_word(target, *key)}."
    if scenario.kind == "share":
        rng = random.Random(int(draw * 2**53))
        off = 1 - rng.betavariate(SPREAD * q, SPREAD * (1 - q))
        return f"About {round(int(target) * (1 + off * rng.choice([-1, 1])))}."
    if scenario.kind == "checklist":
        known = [w for i, w in enumerate(item.target) if unit("fact", i, *key) < q]
        polite = draw < logistic(eta + POLITENESS * item.discrimination)
        return f"{'Please note' if polite else 'Note'}: {', '.join(known) or 'nothing is known'}."
    if scenario.kind == "words":
        kept = [w for i, w in enumerate(target.split()) if unit("word", i, *key) < q]
        return " ".join(kept) or other_word(target, *key)
    right = draw < scenario.floor + (1 - scenario.floor) * q
    return said(item, target, right, key)


def said(item: Item, target: str, right: bool, key: tuple[object, ...]) -> str:
    """Put a right or a wrong answer in the words that the task's scorer looks for."""
    if item.choices:
        wrong = [letter for letter in "ABCD" if letter != target]
        return f"ANSWER: {target if right else wrong[int(unit('wrong', *key) * 3)]}"
    if target in ("yes", "no"):
        return target if right else {"yes": "no", "no": "yes"}[target]
    if target.isdigit():
        number = int(target) if right else int(target) + 1 + int(9 * unit("off", *key))
        return f"The sum is {number}" if item.scenario == "standin_arithmetic" else str(number)
    return f"It is {target if right else other_word(target, *key)}."


def grade(prompt: str, item: Item) -> str:
    """Grade a submission as the referee does; now and then it cannot decide and gives no grade."""
    submission = prompt.rsplit("[Submission]:", 1)[1].split("[Criterion]", 1)[0]
    if unit("undecided", item.number, submission) < 0.01:
        return "The submission is about something else; no grade can be given."
    found = sum(word in submission for word in str(item.target).split())
    return f"{found} of 2 words agree.\n\nGRADE: {'IPC'[found]}"


def usage(prompt: int, text: str) -> ModelUsage:
    # Without usage inspect_ai counts tokens itself, with a tokenizer that it has to download.
    read, written = prompt // 4, max(1, len(text) // 4)
    return ModelUsage(input_tokens=read, output_tokens=written, total_tokens=read + written)


def register(organisation: str) -> None:
    """Register a model API under the name of an organisation."""

    @modelapi(name=organisation)
    class StandinAPI(ModelAPI):
        async def generate(
            self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: GenerateConfig
        ) -> ModelOutput:
            prompt = input[-1].text
            item = ITEMS[int(re.findall(r"Item (\d{4})\.", prompt)[0])]
            model = f"{organisation}/{self.model_name}"
            text = grade(prompt, item) if model == GRADER else self._answer(model, item)
            output = ModelOutput.from_content(self.model_name, text)
            output.usage = usage(sum(len(message.text) for message in input), text)
            return output

        def _answer(self, model: str, item: Item) -> str:
            if WORLD.stops_at == item.number:
                os.kill(os.getpid(), signal.SIGINT)
            if WORLD.fails_at == item.number:
                WORLD.fails_at = None
                raise RuntimeError("503: the service is not available")
            trial = WORLD.asked.get((model, item.number), 0)
            WORLD.asked[model, item.number] = trial + 1
            return answer(model, item, trial, WORLD.salt)


for _name in sorted({name.split("/")[0] for name in (*ABILITY, GRADER)}):
    register(_name)


# ------------------------------------------------------------------------------------ the tasks


def dataset(name: str) -> MemoryDataset:
    samples = [item.sample() for item in ITEMS.values() if item.scenario == name]
    return MemoryDataset(samples, name=name.split(":")[0])


@scorer(metrics=[mean(), stderr()])
def closeness() -> Scorer:
    """Score a number by how near it is to the target: 1 is exact, 0 is off by all of it."""

    async def score(state: TaskState, target: Target) -> Score:
        number = float(re.findall(r"\d+", state.output.completion)[0])
        value = max(0.0, 1 - abs(number - float(target.text)) / float(target.text))
        return Score(value=round(value, 3), answer=f"{number:g}")

    return score


@scorer(metrics={"facts": [mean(), stderr()], "polite": [mean(), stderr()]})
def checklist() -> Scorer:
    """Score a note by the share of facts it names and by whether it is polite."""

    async def score(state: TaskState, target: Target) -> Score:
        text = state.output.completion
        named = sum(fact in text for fact in target)
        value = {"facts": round(named / len(target), 4), "polite": float("Please" in text)}
        return Score(value=value, answer=text)

    return score


@task
def standin_arithmetic() -> Task:
    """Sums of two numbers in words."""
    solver = [system_message("End your answer with the number."), generate()]
    return Task(dataset("standin_arithmetic"), solver=solver, scorer=match(numeric=True))


@task
def standin_choice(subject: str) -> Task:
    """Multiple choice with four options."""
    name = f"standin_choice:subject={subject}"
    return Task(dataset(name), solver=multiple_choice(), scorer=choice())


@task
def standin_open() -> Task:
    """Open questions, graded by another model."""
    graded = model_graded_qa(partial_credit=True)
    referee: dict[str, str | Model] = {"grader": GRADER}
    return Task(dataset("standin_open"), solver=generate(), scorer=graded, model_roles=referee)


@task
def standin_estimate() -> Task:
    """Estimates of a number."""
    return Task(dataset("standin_estimate"), solver=generate(), scorer=closeness())


@task
def standin_note() -> Task:
    """Notes that should name three facts, politely."""
    return Task(dataset("standin_note"), solver=generate(), scorer=checklist())


@task
def standin_sequence() -> Task:
    """Continuations of a list; three answers to each, averaged."""
    warm = GenerateConfig(temperature=0.7)
    return Task(
        dataset("standin_sequence"), solver=generate(), scorer=includes(), epochs=3, config=warm
    )


@task
def standin_puzzle() -> Task:
    """Puzzles; two answers to each, averaged and pass@2."""
    return Task(
        dataset("standin_puzzle"),
        solver=generate(),
        scorer=exact(),
        epochs=Epochs(2, ["mean", "pass_at_2"]),
        config=GenerateConfig(temperature=0.7),
    )


@task
def standin_facts(subject: str) -> Task:
    """Short questions of a trade."""
    name = f"standin_facts:subject={subject}"
    return Task(dataset(name), solver=generate(), scorer=includes())


@task
def standin_claims() -> Task:
    """Claims that are so or not."""
    return Task(dataset("standin_claims"), solver=generate(), scorer=exact())


@task
def standin_extract() -> Task:
    """Words to copy, scored by their overlap."""
    return Task(dataset("standin_extract"), solver=generate(), scorer=f1())


TASKS: dict[str, Callable[..., Task]] = {
    make.__name__: make
    for make in (
        standin_arithmetic,
        standin_choice,
        standin_open,
        standin_estimate,
        standin_note,
        standin_sequence,
        standin_puzzle,
        standin_facts,
        standin_claims,
        standin_extract,
    )
}


def make_task(name: str) -> Task:
    """Make the task of a scenario."""
    scenario = SCENARIOS[name]
    make = TASKS[scenario.task]
    return make(subject=scenario.subject) if scenario.subject else make()


# ------------------------------------------------------------------------------------- the runs

QUIET: dict[str, Any] = {
    "display": "none",
    "log_format": "eval",
    "log_realtime": False,
    "log_model_api": False,
    "score_display": False,
    "max_tasks": 1,  # one thing at a time: the order of the answers is then the same every time
    "max_samples": 1,
}
BROKEN = ("gum/gum-1b", "standin_puzzle")
STOPPED = ("elm/elm-guard", "standin_sequence")
RETRIED = ("acorn/oak-7b", "standin_facts:subject=glass")
ONE_ERROR = ("dogwood/dogwood-3b", "standin_arithmetic")
AGAIN = ("birchlab/birch-small", "standin_choice:subject=harbours")
INVALID = ("cedar-ai/cedar-2-chat", "standin_open")
EDITED = ("cedar-ai/cedar-2-base", "standin_open")
AS_WRITTEN = {RETRIED, ONE_ERROR, BROKEN, STOPPED, AGAIN}  # with compressed members


def logs_of(folder: Path) -> list[Path]:
    """Give the logs in a folder in the order of their scenarios, a failed one before its retry."""

    def order(path: Path) -> tuple[int, bool]:
        log = read_eval_log(str(path), header_only=True)
        return list(SCENARIOS).index(place_of(log)[1]), log.status == "success"

    return sorted(folder.rglob("*.eval"), key=order)


def run_all(folder: Path) -> list[list[Path]]:
    """Run every evaluation.

    Returns
    -------
    list of list of Path
        The logs, by the working day on which they are said to have been made.
    """
    days = []
    for model in ABILITY:
        places = [(model, name) for name in SCENARIOS]
        apart = [p for p in places if p in (BROKEN, STOPPED, RETRIED, ONE_ERROR)]
        day = folder / model.replace("/", "--")
        WORLD.start()
        tasks = [make_task(name) for place, name in places if (place, name) not in apart]
        eval(tasks, model=model, log_dir=str(day), **QUIET)
        for _, name in apart:
            run_apart(model, name, day / "apart")  # eval_set wants a folder of its own
        days.append(logs_of(day))
    model, name = AGAIN
    WORLD.start(salt="again")
    eval(make_task(name), model=model, log_dir=str(folder / "again"), **QUIET)
    return [*days, logs_of(folder / "again")]


def run_apart(model: str, name: str, folder: Path) -> None:
    """Run an evaluation in which something goes wrong."""
    first = next(number for number, item in ITEMS.items() if item.scenario == name)
    place = (model, name)
    WORLD.start(
        fails_at=first + 13 if place in (BROKEN, RETRIED, ONE_ERROR) else None,
        stops_at=first + 16 if place == STOPPED else None,
    )
    if place == RETRIED:
        eval_set(
            make_task(name),
            str(folder),
            model=model,
            retry_attempts=2,
            retry_immediate=False,
            retry_wait=0.1,
            retry_cleanup=False,
            **QUIET,
        )
        return
    try:
        tolerated = 0.1 if place == ONE_ERROR else None
        eval(make_task(name), model=model, log_dir=str(folder), fail_on_error=tolerated, **QUIET)
    except KeyboardInterrupt:
        if place != STOPPED:
            raise


# ---------------------------------------------------------- from what was run to what is shipped

ID = re.compile(r"[2-9A-HJ-NP-Za-km-z]{22}")
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
FOLDERS = re.compile(r"/(?:[\w.@+-]+/)+(?=[\w.-]+\.py\b)")
ADDRESS = re.compile(r"\b[0-9a-f]{12}\b")


class Fixed:
    """Replaces what is random in a log, or tells of the machine, by what is the same in every run.

    An id that stands in several logs, as that of a task that was tried again, stays one id.
    Tracebacks, which name folders and lines, are cut down to their message.
    """

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.logs = 0

    def __call__(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [self(item) for item in value]
        if isinstance(value, str) and ID.fullmatch(value):
            return self.ids.setdefault(value, made_up_id(self.logs, len(self.ids)))
        if not isinstance(value, dict):
            return value
        if "traceback_ansi" in value:
            message = ADDRESS.sub("0", FOLDERS.sub("", value["message"]))
            cut = f"Traceback (most recent call last):\n  ...\n{message}\n"
            return {**value, "message": message, "traceback": cut, "traceback_ansi": cut}
        return {self(key): self(item) for key, item in value.items()}


def made_up_id(log: int, n: int) -> str:
    """Make up an id; those of one log begin alike, which makes the archive a fifth smaller."""
    first, last = (int(unit("id", *parts) * 2**64) for parts in ((log,), (log, n)))
    return "".join(ALPHABET[part // 57**i % 57] for part in (first, last) for i in range(11))


def fixed(log: EvalLog, replace: Fixed, begun: dt.datetime) -> EvalLog:
    """Take out transcripts, and what differs from run to run or tells of the machine."""
    for sample in log.samples or []:
        sample.events, sample.events_data, sample.attachments = [], None, {}
        for failure in sample.error_retries or []:
            failure.events = []
    replace.logs += 1
    log = EvalLog.model_validate(replace(log.model_dump(exclude={"location", "etag"})))
    log.eval.created = begun.isoformat()
    log.eval.task_file = Path(__file__).name
    log.eval.revision = None
    now = begun + dt.timedelta(seconds=2)
    log.stats.started_at = now.isoformat()
    for sample in sorted(log.samples or [], key=lambda s: (s.epoch, s.id)):
        tokens = sum(used.total_tokens for used in sample.model_usage.values())
        took = round(0.2 + 0.01 * tokens, 2)
        sample.started_at = now.isoformat()
        now += dt.timedelta(seconds=took)
        sample.completed_at = now.isoformat()
        sample.total_time = sample.working_time = took
        sample.output.time = took if sample.output.choices else None
    log.stats.completed_at = (now + dt.timedelta(seconds=1)).isoformat()
    log.samples = [condense_sample(sample) for sample in log.samples or []]
    return log


def place_of(log: EvalLog) -> tuple[str, str]:
    """Give the model and the scenario of a log."""
    subject = log.eval.task_args.get("subject")
    return log.eval.model, f"{log.eval.task}:subject={subject}" if subject else log.eval.task


def corrected(log: EvalLog) -> EvalLog:
    """Do to two logs what people do later: declare a sample void, correct a grade."""
    samples = log.samples or []
    by_hand = {"author": "reviewer", "timestamp": FIRST_DAY + dt.timedelta(days=20)}
    if place_of(log) == INVALID:
        why = ProvenanceData(reason="The question had a misprint.", **by_hand)
        return invalidate_samples(log, [str(samples[5].uuid)], why)
    if place_of(log) == EDITED:
        partly = next(s for s in samples if (s.scores or {})["model_graded_qa"].value == "P")
        why = ProvenanceData(reason="Both words are meant.", **by_hand)
        edit_score(log, partly.id, "model_graded_qa", ScoreEdit(value="C", provenance=why))
        partly.events = []  # the edit is in the history of the score as well
    return log


def repacked(path: Path, method: int) -> None:
    """Write the members of a log again, with this method and without the time of writing."""
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, method)


def write_logs(days: list[list[Path]], folder: Path) -> None:
    """Write the logs as they are shipped."""
    folder.mkdir(parents=True)
    ids = Fixed()
    for day, logs in enumerate(days):
        for hour, path in enumerate(logs):
            begun = FIRST_DAY + dt.timedelta(days=day, minutes=20 * hour)
            log = fixed(read_eval_log(str(path), resolve_attachments=True), ids, begun)
            log = corrected(log)
            stamp = log.eval.created.replace(":", "-").replace("+", "-")
            name = log.eval.task.replace("_", "-")
            target = folder / f"{stamp}_{name}_{log.eval.task_id}.eval"
            write_eval_log(log, str(target))
            as_written = place_of(log) in AS_WRITTEN
            repacked(target, 93 if as_written else zipfile.ZIP_STORED)


README = """\
# Inspect logs of made-up models

**Nothing in here says anything about a real model.** The logs in `logs/` were made by really
running inspect_ai {version}, but the models behind it (`acorn/oak-7b`, `fir/fir-1b` ...) are
made up, and so are their answers and the questions. They are models of the HELM demo, with the
same abilities. `truth.json` holds what every answer was drawn from, and how to compute from it the
probability of each model's answer to each item.

| scenario | samples | epochs | scorer |
|---|---|---|---|
{table}

{models} models, {logs} logs. Among them are, as in real folders:

{oddities}

Times and ids are made up, transcripts (events) are left out, and tracebacks are cut. In the first
{compressed} of these cases the members of the logs are compressed with zstd, as inspect_ai writes
them; in all other logs they are stored as they are, because the archive compresses them together.

Made by `tests/support/make_inspect_demo.py` of benchcast, with the seed {seed}. Licensed under the
Apache License 2.0, as the rest of the project.
"""
ODDITIES = (
    (RETRIED, "failed, and was tried again: two logs of one task id, with some samples in both"),
    (ONE_ERROR, "has a sample that failed, which was tolerated"),
    (BROKEN, "failed and was not tried again"),
    (STOPPED, "was cancelled by hand"),
    (AGAIN, "was run again, days later: two logs of one cell"),
    (INVALID, "has a sample that was declared invalid"),
    (EDITED, "has a grade that was corrected by hand"),
)


def readme(logs: Path) -> str:
    """Write what is in the folder."""
    from inspect_ai import __version__

    headers = {}
    for path in sorted(logs.iterdir()):
        log = read_eval_log(str(path), header_only=True)
        headers.setdefault(place_of(log)[1], log)
    rows = []
    for name, scenario in SCENARIOS.items():
        scorers = ", ".join(s.name for s in headers[name].eval.scorers or [])
        rows.append(f"| `{name}` | {scenario.n} | {scenario.epochs} | `{scorers}` |")
    return README.format(
        version=__version__,
        seed=SEED,
        compressed=("no", "one", "two", "three", "four", "five", "six", "seven")[len(AS_WRITTEN)],
        models=len(ABILITY),
        logs=len(list(logs.iterdir())),
        table="\n".join(rows),
        oddities="\n".join(f"- `{m}` on `{s}` {what};" for (m, s), what in ODDITIES)[:-1] + ".",
    )


def traces(folder: Path, work: Path) -> list[str]:
    """Find what tells of this machine in the files that would be shipped."""
    words = {str(work), str(Path.home()), str(Path(__file__).resolve().parent), os.getcwd()}
    words |= {"/home", "/root", "/tmp", "/usr", "/opt", socket.gethostname(), getpass.getuser()}
    telling = re.compile(
        "|".join(rf"(?<![0-9A-Za-z]){re.escape(w)}(?![0-9A-Za-z])" for w in words if w).encode()
    )
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        texts = {path.name: path.read_bytes()}
        if path.suffix == ".eval":
            with zipfile.ZipFile(path) as archive:
                texts = {n: n.encode() + archive.read(n) for n in archive.namelist()}
        for name, data in texts.items():
            hits = sorted(word.decode() for word in set(telling.findall(data)))
            found += [f"{path.name}:{name}: {word}" for word in hits]
    return found


def pack(folder: Path, target: Path) -> None:
    """Write the folder as a ``.tar.zst`` that depends on nothing but its content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in [folder, *sorted(folder.rglob("*"))]:
            info = tarfile.TarInfo(str(path.relative_to(folder.parent)))
            info.mtime = 1767225600  # 2026-01-01
            info.mode = 0o755 if path.is_dir() else 0o644
            if path.is_dir():
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = path.stat().st_size
                tar.addfile(info, io.BytesIO(path.read_bytes()))
    settings = zstandard.ZstdCompressionParameters.from_level(
        22, window_log=27, enable_ldm=True, write_content_size=True, write_checksum=True
    )
    compressor = zstandard.ZstdCompressor(compression_params=settings)
    target.write_bytes(compressor.compress(buffer.getvalue()))


def main() -> None:
    """Make the logs, the truth and, when asked, the archive."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, help="an empty folder, or one that does not exist")
    parser.add_argument("--pack", type=Path, help="also write this .tar.zst")
    args = parser.parse_args()
    out = args.out.resolve()
    folder, work = out / "inspect-standin", out / "as-run"
    for old in (folder, work):
        shutil.rmtree(old, ignore_errors=True)
    work.mkdir(parents=True)
    pack_to = args.pack.resolve() if args.pack else None
    os.chdir(work)
    write_logs(run_all(work), folder / "logs")
    (folder / "truth.json").write_text(json.dumps(truth(), separators=(",", ":")) + "\n")
    (folder / "README.md").write_text(readme(folder / "logs"))
    if found := traces(folder, work):
        raise SystemExit("the logs tell of this machine:\n" + "\n".join(found[:20]))
    if pack_to:
        pack(folder, pack_to)


if __name__ == "__main__":
    main()
