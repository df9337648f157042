"""Caches of states for Llama.set_cache(): a prompt that begins like an earlier one goes on from there."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections import OrderedDict
from typing import Any, Optional, Sequence, Tuple


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    n = 0
    for x, y in zip(a, b):
        if x != y:
            break
        n += 1
    return n


def _best(keys: Any, wanted: Tuple[int, ...]) -> Optional[Tuple[int, ...]]:
    best, longest = None, 0
    for key in keys:
        n = _common(key, wanted)
        if n > longest:
            best, longest = key, n
    return best


class LlamaRAMCache:
    """States in memory, at most `capacity_bytes` of them; the one that was not used for the longest time goes first."""

    def __init__(self, capacity_bytes: int = 2 << 30) -> None:
        self.capacity_bytes = capacity_bytes
        self.cache_state: "OrderedDict[Tuple[int, ...], Any]" = OrderedDict()

    @property
    def cache_size(self) -> int:
        return sum(state.llama_state_size for state in self.cache_state.values())

    def __getitem__(self, key: Sequence[int]) -> Any:
        found = _best(self.cache_state, tuple(key))
        if found is None:
            raise KeyError("Key not found")
        self.cache_state.move_to_end(found)
        return self.cache_state[found]

    def __contains__(self, key: Sequence[int]) -> bool:
        return _best(self.cache_state, tuple(key)) is not None

    def __setitem__(self, key: Sequence[int], value: Any) -> None:
        self.cache_state.pop(tuple(key), None)
        self.cache_state[tuple(key)] = value
        while self.cache_size > self.capacity_bytes and self.cache_state:
            self.cache_state.popitem(last=False)


class LlamaDiskCache:
    """The same in a folder, which other programs must not be able to write to: it holds pickles."""

    def __init__(self, cache_dir: str = ".cache/llama_cache", capacity_bytes: int = 2 << 30) -> None:
        self.cache_dir = cache_dir
        self.capacity_bytes = capacity_bytes
        os.makedirs(cache_dir, mode=0o700, exist_ok=True)

    def _files(self) -> Any:
        names = [os.path.join(self.cache_dir, name) for name in os.listdir(self.cache_dir) if name.endswith(".state")]
        return sorted(names, key=os.path.getmtime)

    def _keys(self) -> Any:
        out = {}
        for name in self._files():
            with open(name, "rb") as file:
                out[pickle.load(file)] = name
        return out

    @property
    def cache_size(self) -> int:
        return sum(os.path.getsize(name) for name in self._files())

    def __getitem__(self, key: Sequence[int]) -> Any:
        keys = self._keys()
        found = _best(keys, tuple(key))
        if found is None:
            raise KeyError("Key not found")
        with open(keys[found], "rb") as file:
            pickle.load(file)  # the key
            state = pickle.load(file)
        os.utime(keys[found])
        return state

    def __contains__(self, key: Sequence[int]) -> bool:
        return _best(self._keys(), tuple(key)) is not None

    def __setitem__(self, key: Sequence[int], value: Any) -> None:
        name = hashlib.sha256(",".join(map(str, key)).encode()).hexdigest()[:32]
        path = os.path.join(self.cache_dir, name + ".state")
        with open(path + ".new", "wb") as file:
            pickle.dump(tuple(key), file)
            pickle.dump(value, file)
        os.replace(path + ".new", path)
        files = self._files()
        while len(files) > 1 and sum(map(os.path.getsize, files)) > self.capacity_bytes:
            os.remove(files.pop(0))
