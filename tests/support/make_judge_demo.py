"""Make the judge half of the demo data: graders score the answers of models, through inspect_ai.

Four of the made-up models of the other demos answer thirty questions. Three graders, a person and
two of these models, give every answer a whole number of points from 0 to 10. All of it is run by
`inspect_ai.eval`: one evaluation for each model and grader, 12 logs of 30 samples. The sample's
metadata say who was graded (``LLM``), by whom (``grader``), of what kind the grader is
(``grader_type``), and on which question (``item``).

The truth, written beside the logs as ``truth.json``. Grader g gives model m on item i more than k
points, of 0 to 10, with the chance::

    eta         = location + grader[g] + LLM[m] + item[i] + self_preference * (g is m)
    P(y > k)    = 1 / (1 + exp(cutpoints[k] - eta))                        k = 0, ..., 9

The person is harsher than the models, and each of these two prefers its own answers: an
interaction of grader and LLM. ``LLM`` is the ability behind the other demos, centred; ``item`` are
normal draws, centred. Scores are drawn from hashes, as in `make_inspect_demo`, which also has what
makes logs the same on every machine.

Needs inspect_ai (made with 0.3.285), nothing else, and no network. Use::

    python make_judge_demo.py OUT                                # writes OUT/judge-standin
    python make_judge_demo.py OUT --pack judge-standin.tar.zst   # and the archive
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

from inspect_ai import Task, eval, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    get_model,
    modelapi,
)
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver
from make_inspect_demo import (
    ABILITY,
    QUIET,
    SEED,
    WORDS,
    Fixed,
    fixed,
    logistic,
    normal,
    pack,
    repacked,
    rounded,
    traces,
    unit,
    usage,
)

FIRST_DAY = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)

# ------------------------------------------------------------------------------------ the truth

MODELS = {
    name.split("/")[1]: name
    for name in ("acorn/oak-70b", "birchlab/birch-xl", "cedar-ai/cedar-2-chat", "fir/fir-1b")
}
GRADER_TYPE = {"birch-xl": "model", "oak-70b": "model", "reader": "human"}
GRADER = {"birch-xl": 0.5, "oak-70b": 0.2, "reader": -0.9}
SELF_PREFERENCE = 1.0
LOCATION = 0.2
CUTPOINTS = [rounded(-4.0 + 0.85 * k) for k in range(10)]
N_ITEMS = 30
ITEM_SPREAD = 0.5


def centred(values: dict[Any, float]) -> dict[Any, float]:
    middle = sum(values.values()) / len(values)
    return {key: rounded(value - middle) for key, value in values.items()}


LLM = centred({name: ABILITY[full] for name, full in MODELS.items()})
ITEMS = centred({i: ITEM_SPREAD * normal("judged item", i) for i in range(1, N_ITEMS + 1)})


def location(grader: str, llm: str, item: int) -> float:
    """Give eta, in logits."""
    own = SELF_PREFERENCE if grader == llm else 0.0
    return LOCATION + GRADER[grader] + LLM[llm] + ITEMS[item] + own


def points(grader: str, llm: str, item: int) -> int:
    """Draw what a grader gives to a model's answer, 0 to 10."""
    draw = unit("points", grader, llm, item)
    eta = location(grader, llm, item)
    return sum(draw > logistic(cut - eta) for cut in CUTPOINTS)


def truth() -> dict[str, Any]:
    """Give everything that the scores were drawn from, as it is written to ``truth.json``."""
    return {
        "about": "made-up graders and models; see README.md",
        "seed": SEED,
        "eta": "location + grader[g] + LLM[m] + item[i] + self_preference * (g is m)",
        "more_than_k_points": "1 / (1 + exp(cutpoints[k] - eta))",
        "location": LOCATION,
        "grader": GRADER,
        "grader_type": GRADER_TYPE,
        "LLM": LLM,
        "self_preference": SELF_PREFERENCE,
        "item": {str(number): effect for number, effect in ITEMS.items()},
        "cutpoints": CUTPOINTS,
    }


# ------------------------------------------------------------------------- questions and answers


def words(n: int, *parts: object) -> list[str]:
    """Draw words, all different."""
    return sorted(WORDS, key=lambda word: unit("word", word, *parts))[:n]


def question(item: int) -> str:
    one, two = words(2, "asked", item)
    return f"Question {item}. Describe the {one} {two} in one sentence."


def answer(llm: str, item: int) -> str:
    one, two = words(2, "asked", item)
    said = words(3, "said", llm, item)
    return f"The {one} {two} is {said[0]} and {said[1]}, with a {said[2]}."


ANSWERED = {answer(llm, item): (llm, item) for llm in MODELS for item in ITEMS}
assert len(ANSWERED) == len(MODELS) * N_ITEMS  # a grader's model tells by the text whose it is

RUBRIC = (
    "Grade this answer with 0 to 10 points.\n\n[Question] {question}\n[Answer] {answer}\n\n"
    "End with a line POINTS: n."
)


def register(organisation: str) -> None:
    """Register a model API under the name of an organisation, in place of the other demo's."""

    @modelapi(name=organisation)
    class JudgedAPI(ModelAPI):
        async def generate(
            self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: GenerateConfig
        ) -> ModelOutput:
            prompt = input[-1].text
            if graded := re.search(r"\[Answer\] (.+)\n", prompt):
                given = points(self.model_name, *ANSWERED[graded[1]])
                text = f"The answer was read with care.\nPOINTS: {given}"
            else:
                text = answer(self.model_name, int(prompt.split()[1].rstrip(".")))
            output = ModelOutput.from_content(self.model_name, text)
            output.usage = usage(sum(len(message.text) for message in input), text)
            return output


for _name in MODELS.values():
    register(_name.split("/")[0])


# --------------------------------------------------------------------------- the task, the runs


@solver
def who_answers() -> Solver:
    """Note in the sample's metadata which model is graded."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.metadata["LLM"] = state.model.name
        return state

    return solve


@scorer(metrics=[mean(), stderr()])
def judge(grader: str) -> Scorer:
    """Score an answer by the points that a grader gives: a model, or a person's mark sheet."""

    async def score(state: TaskState, target: Target) -> Score:
        text = state.output.completion
        if GRADER_TYPE[grader] == "human":
            return Score(value=points(grader, *ANSWERED[text]), answer=text)
        prompt = RUBRIC.format(question=state.input_text, answer=text)
        said = (await get_model(role="grader").generate(prompt)).completion
        value = int(re.findall(r"POINTS: (\d+)", said)[0])
        return Score(value=value, answer=text, explanation=said)

    return score


@task
def judged_answers(grader: str) -> Task:
    """Descriptions in one sentence, graded with 0 to 10 points."""
    kind = GRADER_TYPE[grader]
    samples = [
        Sample(
            id=item,
            input=question(item),
            target="10",
            metadata={"grader": grader, "grader_type": kind, "item": item},
        )
        for item in ITEMS
    ]
    return Task(
        MemoryDataset(samples, name="descriptions"),
        solver=[who_answers(), generate()],
        scorer=judge(grader),
        model_roles={"grader": get_model(MODELS[grader])} if kind == "model" else None,
    )


def run_all(folder: Path) -> list[Path]:
    """Run every evaluation; give the logs in their order."""
    logs = []
    for grader in GRADER:
        for llm, model in MODELS.items():
            place = folder / f"{grader}--{llm}"
            eval(judged_answers(grader), model=model, log_dir=str(place), **QUIET)
            logs += list(place.glob("*.eval"))
    return logs


def write_logs(logs: list[Path], folder: Path) -> None:
    """Write the logs as they are shipped."""
    folder.mkdir(parents=True)
    ids = Fixed()
    ids.logs = 10_000  # else they would have the ids of the other demo's logs
    for hour, path in enumerate(logs):
        begun = FIRST_DAY + dt.timedelta(minutes=20 * hour)
        log = fixed(read_eval_log(str(path), resolve_attachments=True), ids, begun)
        log.eval.task_file = Path(__file__).name
        stamp = log.eval.created.replace(":", "-").replace("+", "-")
        target = folder / f"{stamp}_judged-answers_{log.eval.task_id}.eval"
        write_eval_log(log, str(target))
        repacked(target, zipfile.ZIP_STORED)  # the archive compresses them together


README = """\
# Inspect logs of graders

**Nothing in here says anything about a real model or person.** The logs in `logs/` were made by
really running inspect_ai {version}, but the models are made up, and so are the questions, the
answers and the points. The models are those of the other demos, with the same abilities.

{models} models answer {items} questions; {graders} graders, of {kinds} kinds, give each answer 0 to
10 points: {logs} logs. The samples' metadata have `grader`, `grader_type`, `LLM` and `item`.
`truth.json` holds what the points were drawn from: the person is the harsher grader, and the models
among the graders prefer their own answers.

Times and ids are made up, and transcripts (events) are left out. The members of the logs are stored
as they are, because the archive compresses them together.

Made by `tests/support/make_judge_demo.py` of benchcast, with the seed {seed}. Licensed under the
Apache License 2.0, as the rest of the project.
"""


def readme(logs: Path) -> str:
    """Write what is in the folder."""
    from inspect_ai import __version__

    return README.format(
        version=__version__,
        models=len(MODELS),
        items=N_ITEMS,
        graders=len(GRADER),
        kinds=len(set(GRADER_TYPE.values())),
        logs=len(list(logs.iterdir())),
        seed=SEED,
    )


def main() -> None:
    """Make the logs, the truth and, when asked, the archive."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, help="an empty folder, or one that does not exist")
    parser.add_argument("--pack", type=Path, help="also write this .tar.zst")
    args = parser.parse_args()
    out = args.out.resolve()
    folder, work = out / "judge-standin", out / "as-run"
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
