"""Which modules of a model low-rank matrices are put on, and which are trained in full. Knows nothing of how.

Imports torch; import it where a model is at hand, not before.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from torch import nn

from finetune.errors import AdaptError
from vlm.families import Family

_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)


def lora_targets(model: Any, family: Family, asked: str | None, *, vision: bool, projector: bool) -> str:
    """A regular expression over the full names of the modules to adapt: `asked`, else the family's own; with `vision`
    the layers of its tower, too.

    With `projector` that is trained in full, and is not to be among them. Raises AdaptError for an expression that
    matches nothing, what cannot be adapted, or the projector.
    """
    pattern = asked or family.lora_targets
    modules = dict(model.named_modules())
    chosen = _matching(pattern, modules, asked is not None)
    for name in chosen:
        _check_module(name, modules, model)
        if not vision and _within(name, [family.vision_tower or ""]):
            raise AdaptError(f"lora.targets match {name}, in the vision tower, which is frozen. Set vision: trained")
    if projector and (twice := [name for name in chosen if _within(name, projector_modules(model, family))]):
        raise AdaptError(
            f"lora.targets match {twice[0]}, which projector: true trains in full. Leave one of the two out"
        )
    return "|".join([pattern, *_patterns(vision_layers(model, family), modules)]) if vision else pattern


def projector_modules(model: Any, family: Family) -> list[str]:
    """Full names of the modules between vision tower and language model."""
    if family.projector is None:
        return []
    return [name for name, _ in model.named_modules() if re.fullmatch(family.projector, name)]


def vision_layers(model: Any, family: Family) -> list[str]:
    """Full names of the layers of the vision tower that are adapted: linear ones; where it has none, convolutions.

    Without the projector, which stands within some towers, and without what no feature comes from.
    """
    idle, tower = idle_modules(model, family), f"{family.vision_tower}."
    modules = dict(model.named_modules())
    kinds = {kind: [n for n, m in modules.items() if isinstance(m, kind)] for kind in (nn.Linear, nn.Conv2d)}
    for names in kinds.values():
        taken = [
            name
            for name in names
            if name.startswith(tower)
            and not _within(name, [*projector_modules(model, family), *idle])
            and _adaptable(name, modules)
        ]
        if taken:
            return taken
    raise AdaptError(f"the vision tower of family {family.name} has no layer to adapt. Set vision: frozen")


def idle_modules(model: Any, family: Family) -> list[str]:
    """Full names of modules that answers do not depend on: what stands behind the layer whose features are taken."""
    layer = getattr(model.config, "vision_feature_layer", None)
    depth = getattr(getattr(model.config, "vision_config", None), "num_hidden_layers", None)
    if not isinstance(layer, int) or not isinstance(depth, int):
        return []
    last = layer if layer >= 0 else depth + 1 + layer  # of depth + 1 hidden states, the embeddings first
    behind = re.compile(rf"{re.escape(str(family.vision_tower))}\..*layers\.(\d+)")
    found = [(name, behind.fullmatch(name)) for name, _ in model.named_modules()]
    idle = [name for name, match in found if match and int(match[1]) >= last]
    return [*idle, *(name for name, _ in found if name.endswith("post_layernorm"))]


def _matching(pattern: str, modules: dict[str, Any], asked: bool) -> list[str]:
    try:
        chosen = [name for name in modules if re.fullmatch(pattern, name)]
    except re.error as error:
        raise AdaptError(f"lora.targets: {pattern!r} is no regular expression: {error}") from None
    if not chosen:
        kinds = list(dict.fromkeys(_numberless(name) for name, m in modules.items() if isinstance(m, _KINDS)))
        plain = _numberless(re.sub(r"\\d\+?|\.[*+]|[\\()|^$?]", "", pattern))
        near = difflib.get_close_matches(plain, kinds, n=3, cutoff=0.0)
        whose = "lora.targets" if asked else "the targets of its family"
        raise AdaptError(
            f"{whose}: {pattern!r} matches no module; it must match full names. Near are {', '.join(near)}"
        )
    return chosen


def _check_module(name: str, modules: dict[str, Any], model: Any) -> None:
    """Raises AdaptError for a module that low-rank matrices cannot be put on, or merged into afterwards."""
    module = modules[name]
    if not _adaptable(name, modules):
        raise AdaptError(
            f"lora.targets match {name}, a {type(module).__name__}, which cannot be adapted: only linear layers, "
            f"convolutions without groups and embeddings can"
        )
    tied = {id(model.get_input_embeddings()), id(model.get_output_embeddings())}
    if id(module) in tied and model.get_input_embeddings().weight is model.get_output_embeddings().weight:
        raise AdaptError(f"lora.targets match {name}, whose weights embeddings and scores share. Leave it out")


def _adaptable(name: str, modules: dict[str, Any]) -> bool:
    module, owner = modules[name], modules.get(name.rpartition(".")[0])
    # An attention of torch's own takes the weights of its layers and never calls them.
    return (
        isinstance(module, _KINDS)
        and getattr(module, "groups", 1) == 1
        and not isinstance(owner, nn.MultiheadAttention)
    )


def _within(name: str, modules: Iterable[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _numberless(name: str) -> str:
    return re.sub(r"\.\d+(?=\.|$)", ".N", name)


def _patterns(names: list[str], modules: dict[str, Any]) -> list[str]:
    """Expressions that match these names and no other: one for all that differ in numbers alone, where that does."""
    made: dict[str, list[str]] = {}
    for name in names:
        made.setdefault(re.sub(r"\\\.\d+(?=\\\.|$)", r"\\.\\d+", re.escape(name)), []).append(name)
    return [
        part
        for pattern, own in made.items()
        for part in ([pattern] if set(_matching(pattern, modules, False)) == set(own) else map(re.escape, own))
    ]
