"""What the `openai` package sees of a gateway: answers and typed exceptions.

Run by SDKTests with the gateway's port. Its model `up` has the tags free and paid, each on an upstream of its own; the
model `fails-N` meets an upstream that answers with status N.
"""
import asyncio
import sys

import openai

BASE = f"http://127.0.0.1:{sys.argv[1]}/v1"
KEY = "sk-0123456789abcdef"
MESSAGES = [{"role": "user", "content": "hi"}]
OPTIONS = {"base_url": BASE, "api_key": KEY, "max_retries": 0, "timeout": 20}


def check(what, condition):
    if not condition:
        sys.exit(f"not so: {what}")


def text_of(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def answers(client):
    whole = client.chat.completions.create(model="up", messages=MESSAGES)
    check("the answer names the public model", whole.model == "up")
    check("the answer has a text", whole.choices[0].message.content.startswith("ok:"))
    chunks = list(client.chat.completions.create(model="up", messages=MESSAGES, stream=True))
    check("the stream names the public model", {c.model for c in chunks} == {"up"})
    check("the stream has a text", text_of(chunks).startswith("ok:"))
    check("an embedding comes", client.embeddings.create(model="up", input="hi", encoding_format="float").data[0].embedding == [0.25, -0.5, 0.125])
    check("a response comes", client.responses.create(model="up", input="hi").output_text.startswith("ok:"))
    events = list(client.responses.create(model="up", input="hi", stream=True))
    check("a streamed response completes", events[-1].type == "response.completed")
    check("the models are listed", "up" in [m.id for m in client.models.list()])
    check("a model is found", client.models.retrieve("up").id == "up")


def tags(client):
    for tag in ["free", "paid"]:
        by_body = client.chat.completions.create(model="up", messages=MESSAGES, extra_body={"tags": [tag]})
        check(f"{tag} by body", by_body.choices[0].message.content == f"ok:{tag}")
        by_header = client.chat.completions.create(
            model="up", messages=MESSAGES, extra_headers={"x-litellm-tags": tag})
        check(f"{tag} by header", by_header.choices[0].message.content == f"ok:{tag}")


def exceptions(client):
    expected = {
        "fails-400": openai.BadRequestError, "fails-401": openai.AuthenticationError,
        "fails-404": openai.NotFoundError, "fails-429": openai.RateLimitError,
        "fails-500": openai.InternalServerError, "fails-503": openai.InternalServerError,
        "nobody": openai.BadRequestError,
    }
    for model, kind in expected.items():
        for stream in [False, True]:
            try:
                client.chat.completions.create(model=model, messages=MESSAGES, stream=stream)
            except openai.APIStatusError as error:
                check(f"{model} raises {kind.__name__}, not {type(error).__name__}", type(error) is kind)
                check(f"{model} has a message", bool(error.body and error.body["message"]))
            else:
                sys.exit(f"not so: {model} raises")
    for wrong, kind in [({"api_key": "sk-wrong"}, openai.AuthenticationError)]:
        try:
            openai.OpenAI(**{**OPTIONS, **wrong}).models.list()
        except kind:
            continue
        sys.exit(f"not so: {wrong} raises {kind.__name__}")
    try:
        client.models.retrieve("nobody")
    except openai.NotFoundError:
        return
    sys.exit("not so: an unknown model is not found")


async def asynchronous():
    async with openai.AsyncOpenAI(**OPTIONS) as client:
        whole = await client.chat.completions.create(model="up", messages=MESSAGES)
        check("an async answer has a text", whole.choices[0].message.content.startswith("ok:"))
        stream = await client.chat.completions.create(model="up", messages=MESSAGES, stream=True)
        check("an async stream has a text", text_of([c async for c in stream]).startswith("ok:"))
        check("an async embedding comes", (await client.embeddings.create(model="up", input="hi", encoding_format="float")).data)
        check("an async response comes", (await client.responses.create(model="up", input="hi")).output_text)
        check("the models are listed", [m.id async for m in client.models.list()])
        try:
            await client.chat.completions.create(model="fails-429", messages=MESSAGES)
        except openai.RateLimitError:
            return
        sys.exit("not so: an async 429 raises")


with openai.OpenAI(**OPTIONS) as one:
    answers(one)
    tags(one)
    exceptions(one)
asyncio.run(asynchronous())
print("passed")
