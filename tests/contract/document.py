"""The contract as tools read it: infrastructure/openapi.yaml without what only API Gateway understands, as JSON.

API Gateway takes part of OpenAPI only. What it refuses stands there in another way, and is put right here:

- `x-texts: true` of an object becomes `additionalProperties` that are texts;
- `x-nullable: true` becomes `nullable: true`;
- the patterns of currencies and days, of which few texts mean something, become what the tests have of them;
- no member beside the described ones is taken or answered, which API Gateway's models would have to say of each schema;
- extensions of the gateway go, and with them the intrinsic functions of CloudFormation;
- the `Authorization` header is the ID token's (an authorizer of the gateway's own kind to it).

    python document.py ../../infrastructure/openapi.yaml > contract.json
    python document.py --as-it-is ../../infrastructure/openapi.yaml      # with all of that, as JSON
"""

import json
import sys

import yaml


# Of the texts of a pattern few mean something: what tools make of these is currencies and days.
CURRENCIES = ["EUR", "USD", "JPY", "KWD", "GBP", "CHF"]
MEANT = {"^[A-Z]{3}$": {"enum": CURRENCIES}, "^[0-9]{4}-[0-9]{2}-[0-9]{2}$": {"format": "date"}}


GATEWAYS = ("x-amazon-", "x-nullable", "x-texts")


def plain(value):
    """Without the gateway's extensions; closed objects; nullable where it says so."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    bare = {name: plain(inner) for name, inner in value.items() if not str(name).startswith(GATEWAYS)}
    if isinstance(value.get("pattern"), str) and value["pattern"] in MEANT:
        del bare["pattern"]
        bare |= MEANT[value["pattern"]]
    if value.get("x-nullable") is True:
        bare["nullable"] = True
        if "enum" in bare:
            bare["enum"] = [*bare["enum"], None]
    if value.get("x-texts") is True:
        bare["additionalProperties"] = {"type": "string"}
    if bare.get("type") == "object" and "properties" in bare:
        bare.setdefault("additionalProperties", False)
    return bare


if __name__ == "__main__":
    with open(sys.argv[-1], encoding="utf-8") as file:
        document = yaml.safe_load(file)
    json.dump(document if "--as-it-is" in sys.argv else plain(document), sys.stdout)
