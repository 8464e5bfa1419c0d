"""The contract as tools read it: infrastructure/openapi.yaml without what only API Gateway understands, as JSON.

API Gateway takes part of OpenAPI only. What it refuses stands there in another way, and is put right here:

- `x-nullable: true` becomes `nullable: true`;
- a calendar date, which stands there as a pattern, becomes `format: date`;
- no member beside the described ones is taken or answered, which API Gateway's models would have to say of each schema;
- extensions of the gateway go, and with them the intrinsic functions of CloudFormation;
- the `Authorization` header is the ID token's (an authorizer of the gateway's own kind to it).

    python document.py ../../infrastructure/openapi.yaml > contract.json
"""

import json
import sys

import yaml


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
    if bare.get("pattern") == "^[0-9]{4}-[0-9]{2}-[0-9]{2}$":
        bare["format"] = "date"
    if bare.get("type") == "object" and "properties" in bare:
        bare.setdefault("additionalProperties", False)
    return bare


def contract(path):
    with open(path, encoding="utf-8") as file:
        return plain(yaml.safe_load(file))


if __name__ == "__main__":
    json.dump(contract(sys.argv[1]), sys.stdout)
