#!/usr/bin/env python3
"""Writes api-reference.md from ../infrastructure/openapi.yaml. Needs Python 3 and PyYAML.

    python3 docs/generate-api-reference.py           # write it
    python3 docs/generate-api-reference.py --check   # exit 1 if it is out of date
"""

import pathlib
import re
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent / "infrastructure" / "openapi.yaml"
TARGET = HERE / "api-reference.md"
METHODS = ["get", "head", "post", "put", "patch", "delete"]
ANY = "x-amazon-apigateway-any-method"  # preflight requests and methods that there are not: told once
PROBLEM = "application/problem+json"
API = yaml.safe_load(SOURCE.read_text())
TAGS = {tag["name"] for tag in API["tags"]}


def anchor(heading):
    """The anchor that a heading gets on its first occurrence in the page."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def line(text):
    """A description within a table cell."""
    return " ".join(str(text or "").split()).replace("|", "\\|")


def name_of(schema):
    return schema["$ref"].rsplit("/", 1)[1] if "$ref" in schema else None


def kind(schema):
    """The type of a schema, with a link where it has a name."""
    if name := name_of(schema):
        # The heading of a tag with the same name stands before it.
        return f"[{name}](#{anchor(name)}{'-1' if name in TAGS else ''})"
    if schema.get("type") == "array":
        return f"array of {kind(schema['items'])}"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    text = schema.get("type", "any")
    if schema.get("format"):
        text += f" ({schema['format']})"
    return text


def limits(schema):
    """What a value must keep to."""
    found = []
    if "minimum" in schema or "maximum" in schema:
        found.append(f"{schema.get('minimum', '…')} to {schema.get('maximum', '…')}")
    if "minLength" in schema or "maxLength" in schema:
        found.append(f"{schema.get('minLength', 0)} to {schema.get('maxLength', '…')} characters")
    if "minItems" in schema or "maxItems" in schema:
        found.append(f"{schema.get('minItems', 0)} to {schema.get('maxItems', '…')} entries")
    if schema.get("x-nullable"):
        found.append("or null")
    if "pattern" in schema:
        found.append(f"`{schema['pattern']}`".replace("|", "\\|"))
    if "default" in schema:
        found.append(f"default {schema['default']}")
    return "; ".join(found)


def joined(*parts):
    return ". ".join(part.rstrip(".") for part in parts if part)


def content(answer):
    """The media types and schemas of a body or an answer."""
    return ", ".join(f"`{media}`: {kind(body['schema'])}" for media, body in answer.get("content", {}).items())


def operation(path, method, described):
    yield f"### {method.upper()} {path}"
    yield ""
    yield f"**{described['summary']}** (`{described['operationId']}`)" + (
        "" if described.get("security") else " · no ID token"
    )
    yield ""
    if text := described.get("description"):
        yield text.strip()
        yield ""
    if parameters := described.get("parameters"):
        yield "| Parameter | In | | Type | Description |"
        yield "| --- | --- | --- | --- | --- |"
        for parameter in parameters:
            need = "required" if parameter.get("required") else "optional"
            schema = parameter["schema"]
            text = joined(line(parameter.get("description")), limits(schema))
            yield f"| `{parameter['name']}` | {parameter['in']} | {need} | {kind(schema)} | {text} |"
        yield ""
    if body := described.get("requestBody"):
        need = "" if body.get("required") else " (optional)"
        yield f"Body{need}: {content(body)}"
        yield ""
    yield "| Answer | Description | Body |"
    yield "| --- | --- | --- |"
    for status, answer in described["responses"].items():
        body = "problem" if PROBLEM in answer.get("content", {}) else content(answer)
        headers = ", ".join(f"`{name}`" for name in answer.get("headers", {}))
        body += f" with {headers}" if headers else ""
        yield f"| {status} | {line(answer['description'])} | {body} |"
    yield ""


def schema(name, described):
    yield f"### {name}"
    yield ""
    if text := described.get("description"):
        yield text.strip()
        yield ""
    required = described.get("required", [])
    yield "| Member | | Type | Description |"
    yield "| --- | --- | --- | --- |"
    for member, value in described.get("properties", {}).items():
        need = "required" if member in required else "optional"
        yield f"| `{member}` | {need} | {kind(value)} | {joined(line(value.get('description')), limits(value))} |"
    yield ""


def problems(api):
    """The problem types that the gateway itself answers with; the functions' own are in functions/common."""
    found = {}
    for name, response in api["x-amazon-apigateway-gateway-responses"].items():
        template = response["responseTemplates"]["application/json"]
        urn = re.search(r'"type":"([^"]+)"', template).group(1)
        found.setdefault(urn, set()).add(str(response.get("statusCode", "4xx" if "4XX" in name else "5xx")))
    own = HERE.parent / "functions"
    text = "\n".join(file.read_text() for file in sorted(own.glob("**/*.rs")))
    prefix = "urn:slipstream:problem:"
    for status, name in re.findall(r"Self::new\((\d+), \"([a-z-]+)\"", text):
        found.setdefault(prefix + name, set()).add(status)
    for constructor, status in [("conflict", "409"), ("forbidden", "403")]:
        for name in re.findall(rf"(?:Problem|Self)::{constructor}\(\s*\"([a-z-]+)\"", text):
            found.setdefault(prefix + name, set()).add(status)
    return sorted(found.items())


def document(api):
    info = api["info"]
    yield "# API reference"
    yield ""
    yield "Generated from [`infrastructure/openapi.yaml`](../infrastructure/openapi.yaml) by"
    yield "[`generate-api-reference.py`](generate-api-reference.py): change the former and run the latter."
    yield "[The user guide](user-guide.md) has the same in examples."
    yield ""
    yield info["description"].strip()
    yield ""
    yield "## Operations"
    yield ""
    operations = [
        (path, method, described[method])
        for path, described in api["paths"].items()
        for method in METHODS
        if method in described
    ]
    yield "| | Operation | |"
    yield "| --- | --- | --- |"
    for path, method, described in operations:
        heading = f"{method.upper()} {path}"
        yield f"| {described['tags'][0]} | [{heading}](#{anchor(heading)}) | {described['summary']} |"
    yield ""
    bare = [f"`{path}`" for path, described in api["paths"].items() if ANY not in described]
    but = f" but {', '.join(bare)}" if bare else ""
    yield f"Every path{but} also answers OPTIONS with 204 and the CORS headers for the web client's origin, and any other method with 405 and"
    yield "`Allow`."
    yield ""
    for tag in api["tags"]:
        chosen = [found for found in operations if found[2]["tags"][0] == tag["name"]]
        if chosen:
            yield f"## {tag['name']}"
            yield ""
            yield f"{tag['description']}."
            yield ""
            for found in chosen:
                yield from operation(*found)
    yield "## Problem types"
    yield ""
    yield "The `type` of a [Problem](#problem), from the functions and from the gateway."
    yield ""
    yield "| Type | Status |"
    yield "| --- | --- |"
    for urn, statuses in problems(api):
        yield f"| `{urn}` | {', '.join(sorted(statuses))} |"
    yield ""
    yield "## Schemas"
    yield ""
    for name, described in api["components"]["schemas"].items():
        yield from schema(name, described)


def main():
    text = "\n".join(document(API)).rstrip() + "\n"
    if sys.argv[1:] == ["--check"]:
        if not TARGET.exists() or TARGET.read_text() != text:
            sys.exit(f"{TARGET.name} is out of date: run python3 docs/{pathlib.Path(__file__).name}")
        return
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
