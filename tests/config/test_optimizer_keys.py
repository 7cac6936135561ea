"""Keys of optimizers: which kind takes which, and what enters a configuration's key."""

import hashlib
import json

import pytest

from ganbench.config.model import Execution, Optimizer, Optimizers
from ganbench.testing import tiny_config


def test_a_configuration_without_the_younger_keys_is_filed_as_before_there_were_any():
    config = tiny_config()
    # What the key hashed when optimizers, the latent and the execution had no other keys.
    content = json.loads(config.model_dump_json())
    for role in ("generator", "discriminator"):
        content["optimizers"][role] = {
            "name": "adam", "lr": 2e-4, "beta1": 0.5, "beta2": 0.999,
            "momentum": 0.0, "weight_decay": 0.0,
        }  # fmt: skip
    content["execution"] = {"amp": "off", "backend": "auto"}
    content["latent"] = {"dimension": 4, "distribution": "normal"}
    content["evaluation"]["metrics"] = [
        {"name": name, "parameters": {}} for name in ("fid", "modes", "diversity")
    ]
    for name in ("judgement", "primary", "inspections"):  # they change no number of a trial's
        del content["evaluation"][name]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert config.key() == hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    "changed", [{"alpha": 0.9}, {"eps": 1e-7}, {"decay": 1e-8}, {"decay_law": "exponential"}]
)
def test_a_younger_key_that_says_something_is_part_of_the_key(changed):
    plain = tiny_config()
    other = tiny_config(optimizers=Optimizers(generator=Optimizer(**changed)))
    assert plain.key() != other.key()
    assert plain.key() != tiny_config(execution=Execution(channels_last=True)).key()
    assert plain.key() != tiny_config(execution=Execution(merge_upsampling=True)).key()
    assert plain.key() != tiny_config(execution=Execution(join_batches=True)).key()
    assert plain.key() != tiny_config(execution=Execution(onednn_linear=True)).key()
    assert plain.key() != tiny_config(execution=Execution(tf32=False)).key()


@pytest.mark.parametrize(
    ("kind", "key"), [("sgd", "eps"), ("sgd", "alpha"), ("adam", "alpha"), ("adamw", "alpha")]
)
def test_a_key_of_another_kind_is_refused(errors, good, kind, key):
    text = good.replace("{name: adam, lr: 2e-4, beta1: 0.5}", f"{{name: {kind}, {key}: 0.5}}")
    (line,) = errors(text)
    assert f"{kind} does not use {key}" in line


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_kind_decays(load, kind):
    text = f"{{name: {kind}, decay: 1e-8, decay_law: exponential}}"
    loaded = load(replace={"{name: adam, lr: 2e-4, beta1: 0.5}": text})
    assert loaded.study.baseline.optimizers.generator.decay == 1e-8
