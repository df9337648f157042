"""Compares quern.Llama with a record of llama-cpp-python's public calls (llama_shapes.json): names, arguments, defaults, and
the keys of the dictionaries that come back from the demo model.

usage: llama_shapes.py          prints the table as Markdown
"""
import inspect
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
NOTES = {
    "__init__": "an unknown argument is a TypeError; rope, YaRN, `kv_overrides` and `draft_model` other than the default are errors",
    "create_completion": "`suffix` and `grammar` are errors; `logprobs` needs no `logits_all`, unless with `echo`",
    "create_chat_completion": "`tools`, `functions`, `grammar` and a `response_format` other than text are errors",
    "generate": "`grammar` is an error",
    "sample": "`grammar` is an error",
    "from_pretrained": "models are fetched into Hugging Face's cache without huggingface_hub; local_dir_use_symlinks has no effect",
    "close": "also at the end of a `with` block",
}


def load():
    with open(os.path.join(HERE, "llama_shapes.json"), encoding="utf-8") as file:
        return json.load(file)


def arguments(function):
    """name -> "required" or {"default": value}, as in the record."""
    out = {}
    for name, p in inspect.signature(function).parameters.items():
        if name == "self" or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        out[name] = "required" if p.default is p.empty else {"default": p.default}
    return out


def difference(theirs, ours):
    """What is different, in words; empty: nothing."""
    out = []
    for name, value in theirs.items():
        if name not in ours:
            out.append(f"no `{name}`")
        elif ours[name] != value:
            shown = "required" if ours[name] == "required" else f"{ours[name]['default']!r}"
            out.append(f"`{name}` is {shown}")
    out += [f"also `{name}`" for name in ours if name not in theirs]
    if not out and list(theirs) != list(ours):
        out.append("another order")
    return out


def calls(record):
    """(name, differences) of each call and property."""
    import quern
    for name, theirs in record["calls"].items():
        if name == "properties":
            for one in theirs:
                yield one, [] if isinstance(getattr(quern.Llama, one, None), property) else ["missing"]
            continue
        function = getattr(quern.Llama, name, None)
        yield name, ["missing"] if function is None else difference(theirs, arguments(function))


def dictionaries():
    """name -> keys, of what quern.Llama returns."""
    import quern
    from support import CHAT, DEMO
    with quern.Llama(DEMO, verbose=False, seed=1) as llama:
        completion = llama.create_completion("The old house", max_tokens=3, logprobs=2)
        chat = llama.create_chat_completion(CHAT, logprobs=True, top_logprobs=2)
        chunk = list(llama.create_chat_completion(CHAT, stream=True))[1]
    with quern.Llama(DEMO, verbose=False, embedding=True, pooling_type=1) as llama:
        embedding = llama.create_embedding("The old house")
    for name, value in (("completion", completion), ("chat", chat), ("chat chunk", chunk), ("embedding", embedding)):
        yield from walk(name, value)


def walk(name, value):
    if isinstance(value, dict):
        yield name, list(value)
        for key, one in value.items():
            yield from walk(f"{name}.{key}", one)
    elif isinstance(value, list) and value:
        yield from walk(f"{name}[]", value[0])


def results(record):
    """(name, differences) of each dictionary."""
    ours = dict(dictionaries())
    for name, theirs in record["results"].items():
        if name not in ours:
            yield name, ["missing"]
            continue
        missing = [f"no `{key}`" for key, kind in theirs.items() if kind == "required" and key not in ours[name]]
        yield name, missing + [f"also `{key}`" for key in ours[name] if key not in theirs]


def table():
    record = load()
    rows = [f"| {record['of'].split(':')[0]} | `quern.Llama` | note |", "|---|---|---|"]
    same = []
    for name, differences in [*calls(record), *results(record)]:
        if not differences and name not in NOTES:
            same.append(f"`{name}`")
            continue
        rows.append(f"| `{name}` | {'same arguments' if not differences else '; '.join(differences)} | {NOTES.get(name, '')} |")
    rows.append(f"| {', '.join(same)} | same | |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
