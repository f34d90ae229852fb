"""The client of OpenAI, as it comes from PyPI, against octavo-server: answers, streams, errors, and 32 clients at once.

    openai_check.py OCTAVO_SERVER MODEL_DIR
"""
import asyncio
import base64
import json
import os
import pathlib
import re
import subprocess
import sys

import openai

server_program, model = sys.argv[1], pathlib.Path(sys.argv[2])
samples = [json.loads(line) for line in (model / "eval" / "eval.jsonl").read_text().splitlines()][:64]


def messages(sample):
    picture = base64.b64encode((model / "eval" / sample["image"]).read_bytes()).decode()
    parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + picture}},
             {"type": "text", "text": sample["prompt"]}]
    return [{"role": "user", "content": parts}]


def check(condition, what):
    if not condition:
        sys.exit(f"openai_check: {what}")


def right(sample, answer):
    """Colours, shapes and counts are right or wrong; a box must parse."""
    if sample["task"] == "grounding":
        return len(json.loads(answer)["bbox_2d"]) == 4
    return answer == sample["answer"]


def one_client(client):
    sample = next(sample for sample in samples if sample["task"] == "colour")
    ask = {"model": "tiny", "messages": messages(sample), "temperature": 0}
    whole = client.chat.completions.create(**ask)
    answer = whole.choices[0].message.content
    check(answer == sample["answer"], f"{sample['prompt']} {answer!r}, not {sample['answer']!r}")
    check(whole.choices[0].finish_reason == "stop", whole.choices[0].finish_reason)
    pieces, usage = [], None
    for chunk in client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}):
        if chunk.choices:
            pieces.append(chunk.choices[0].delta.content or "")
        usage = chunk.usage or usage
    check("".join(pieces) == answer, f"the stream says {''.join(pieces)!r}")
    check(usage == whole.usage, f"{usage} of the stream, {whole.usage} of the whole")
    check([one.id for one in client.models.list()] == ["tiny"], "models")
    check(client.models.retrieve("tiny").id == "tiny", "retrieve")
    for changes, error in [({"n": 2}, openai.BadRequestError), ({"model": "other"}, openai.NotFoundError),
                           ({"temperature": 9}, openai.BadRequestError)]:
        try:
            client.chat.completions.create(**{**ask, **changes})
        except error as told:
            check(told.body["message"], f"no message for {changes}")
        else:
            check(False, f"{changes} is taken")
    try:
        client.with_options(api_key="wrong").models.list()
    except openai.AuthenticationError:
        pass
    else:
        check(False, "a wrong key is taken")


async def many_clients(address):
    async def ask(sample):
        async with openai.AsyncOpenAI(base_url=address, api_key="secret", max_retries=20) as client:
            answer = await client.chat.completions.create(model="tiny", messages=messages(sample), temperature=0)
            return right(sample, answer.choices[0].message.content)

    async def leave(sample):
        async with openai.AsyncOpenAI(base_url=address, api_key="secret", max_retries=20) as client:
            stream = await client.chat.completions.create(model="tiny", messages=messages(sample), stream=True)
            async for _ in stream:
                break
            await stream.close()

    results = await asyncio.gather(*(ask(sample) for sample in samples), *(leave(sample) for sample in samples[::4]))
    answers = results[:len(samples)]
    check(sum(answers) >= 0.95 * len(answers), f"{sum(answers)} of {len(answers)} answers are right")
    return sum(answers), len(answers)


command = [server_program, str(model), "--port", "0", "--model-name", "tiny", "--max-waiting", "16",
           "--prefix-cache-mib", "0"]
server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OCTAVO_API_KEY": "secret"})
try:
    address = re.search(r"http://\S+", server.stdout.readline())[0] + "/v1"
    one_client(openai.OpenAI(base_url=address, api_key="secret"))
    good, of = asyncio.run(many_clients(address))
    print(f"openai {openai.__version__}: answers, streams and errors as expected; of {of} asked at once {good} are right")
finally:
    server.terminate()
    server.wait(60)
