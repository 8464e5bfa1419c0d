#!/usr/bin/env python3
"""Holds state machines against the Amazon States Language: their shape by statelint, their expressions by a JSONata
parser. Needs infrastructure/lint-requirements.txt.

    python3 workflows/lint.py workflows/*.asl.json
"""

import json
import pathlib
import re
import sys

from jsonata import Jsonata
from jsonata.jexception import JException
from statelint.config import Config
from statelint.linter import Linter
from statelint.problem import ProblemType

# What statelint takes for a fault and is none: `TimeoutSeconds` may be an expression where the query language is
# JSONata (https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html), and a whole number is a number.
TIMEOUT_EXPRESSION = re.compile(r'TimeoutSeconds is "\{%.*%\}" but should be an Integer')
IGNORED = [ProblemType.FLOAT]


def expressions(value, where):
    """Every JSONata expression, with where it stands."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from expressions(inner, f"{where}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from expressions(inner, f"{where}[{index}]")
    elif isinstance(value, str) and value.startswith("{%"):
        yield where, value


def problems(machine):
    for problem in Linter.validate(machine, Config(ignored_problem_types=IGNORED)):
        if not TIMEOUT_EXPRESSION.search(problem):
            yield problem
    for where, expression in expressions(machine, "State Machine"):
        try:
            if not expression.endswith("%}"):
                raise ValueError("an expression ends with %}")
            Jsonata(expression[2:-2])
        except (JException, ValueError) as error:
            yield f"{where} is {expression}: {error}"


def main():
    found = 0
    for path in sys.argv[1:]:
        for problem in problems(json.loads(pathlib.Path(path).read_text())):
            print(f"{path}: {problem}", file=sys.stderr)
            found += 1
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
