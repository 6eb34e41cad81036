"""Declarative scenarios: `load` -> `plan` -> `run` -> `checks`; `model` is their shape, `history` what was seen."""
