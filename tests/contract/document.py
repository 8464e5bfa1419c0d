"""The contract as tools read it: infrastructure/openapi.yaml without what only API Gateway understands, as JSON.

API Gateway takes part of OpenAPI only. What it refuses stands there in another way, and is put right here:

- `x-nullable: true` becomes `nullable: true`;
- patterns of which few texts mean something get an example, which the gateway's models do not take;
- no member beside the described ones is taken or answered, which API Gateway's models would have to say of each schema;
- extensions of the gateway go, and with them the intrinsic functions of CloudFormation;
- the `Authorization` header is the ID token's (an authorizer of the gateway's own kind to it).

    python document.py ../../infrastructure/openapi.yaml > contract.json
    python document.py --as-it-is ../../infrastructure/openapi.yaml      # with all of that, as JSON
"""

import json
import sys

import yaml


EXAMPLES = {"^[A-Z]{3}$": "EUR", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$": "2026-03-12", "^[0-9]{4}-[0-9]{2}$": "2026-03"}


def plain(value):
    """Without the gateway's extensions; closed objects; nullable where it says so."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    bare = {name: plain(inner) for name, inner in value.items() if not str(name).startswith(("x-amazon-", "x-nullable"))}
    if value.get("x-nullable") is True:
        bare["nullable"] = True
        if "enum" in bare:
            bare["enum"] = [*bare["enum"], None]
    if (example := EXAMPLES.get(value.get("pattern"))) is not None:
        bare["example"] = example
    if bare.get("type") == "object" and "properties" in bare:
        bare.setdefault("additionalProperties", False)
    return bare


if __name__ == "__main__":
    with open(sys.argv[-1], encoding="utf-8") as file:
        document = yaml.safe_load(file)
    json.dump(document if "--as-it-is" in sys.argv else plain(document), sys.stdout)
