"""Holds the API document against OpenAPI 3.1, its examples against its schemas, and recorded answers against the document.

usage: check.py EXCHANGES     NDJSON of method, target, status, headers, body; the document is the answer to GET /api/v1/openapi.json in it
"""

import collections
import copy
import json
import re
import sys
import urllib.parse

import jsonschema
import referencing
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

# Operations whose success no test can wait for; each line says why. They are still called, and what they answer is checked.
NEVER_SUCCESSFUL = {}


def pointer(*parts):
    return "".join("/" + urllib.parse.quote(part.replace("~", "~0").replace("/", "~1")) for part in parts)


def closed(schema, is_whole=True):
    """The schema with undescribed members refused, which readers must accept and the house must not send."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {}
    for name, value in schema.items():
        if name == "$ref":
            kind = "closed" if is_whole else "open"
            result[name] = value.replace("#/components/schemas/", f"#/components/{kind}/")
        elif name == "properties":
            result[name] = {member: closed(inner) for member, inner in value.items()}
        elif name in ("items", "additionalProperties"):
            result[name] = closed(value)
        elif name in ("allOf", "anyOf", "oneOf"):
            result[name] = [closed(part, is_whole=False) for part in value]
        else:
            result[name] = value
    if is_whole and ("properties" in result or "allOf" in result) and "additionalProperties" not in result:
        result["unevaluatedProperties"] = False
    return result


class Document:
    def __init__(self, value):
        self.value = value
        strict = copy.deepcopy(value)
        for kind, is_whole in (("closed", True), ("open", False)):
            strict["components"][kind] = {name: closed(s, is_whole) for name, s in value["components"]["schemas"].items()}
        self.strict = strict
        resource = referencing.Resource(contents=strict, specification=referencing.jsonschema.DRAFT202012)
        self.registry = referencing.Registry().with_resource("urn:document", resource)
        self.formats = jsonschema.FormatChecker(["date-time", "email", "regex"])
        self.validators = {}
        self.templates = []
        for template in value["paths"]:
            parts = [re.escape(p) if not p.startswith("{") else "[^/]+" for p in template.split("/")]
            self.templates.append((template.count("{"), re.compile("/".join(parts) + r"\Z"), template))
        self.templates.sort(key=lambda entry: entry[0])

    def resolve(self, value):
        while "$ref" in value:
            at = self.value
            for part in value["$ref"][2:].split("/"):
                at = at[part.replace("~1", "/").replace("~0", "~")]
            value = at
        return value

    def faults(self, schema, instance, is_answer=True):
        key = json.dumps([schema, is_answer], sort_keys=True)
        if key not in self.validators:
            text = json.dumps(closed(schema) if is_answer else schema).replace('"#/', '"urn:document#/')
            self.validators[key] = Draft202012Validator(json.loads(text), registry=self.registry, format_checker=self.formats)
        return [f"{error.json_path}: {error.message[:300]}" for error in self.validators[key].iter_errors(instance)]

    def template(self, path):
        return next((template for _, pattern, template in self.templates if pattern.match(path)), None)


def check_examples(document):
    faults, count = [], 0

    def check(place, schema, example):
        nonlocal count
        count += 1
        faults.extend(f"{place}: example: {fault}" for fault in document.faults(schema, example))

    def media(place, content):
        for kind in content.values():
            examples = [document.resolve(example)["value"] for example in kind.get("examples", {}).values()]
            for example in examples + ([kind["example"]] if "example" in kind else []):
                check(place, kind["schema"], example)

    for template, operations in document.value["paths"].items():
        for method, operation in operations.items():
            place = f"{method.upper()} {template}"
            media(place + " body", operation.get("requestBody", {}).get("content", {}))
            for parameter in map(document.resolve, operation.get("parameters", [])):
                if "example" in parameter:
                    check(f"{place} {parameter['name']}", parameter["schema"], parameter["example"])
            for status, answer in operation["responses"].items():
                media(f"{place} {status}", document.resolve(answer).get("content", {}))
    for name, schema in document.value["components"]["schemas"].items():
        for example in schema.get("examples", []):
            check(f"schema {name}", {"$ref": f"#/components/schemas/{name}"}, example)
    for name, header in document.value["components"]["headers"].items():
        if "example" in header:
            check(f"header {name}", header["schema"], header["example"])
    return faults, count


def header_faults(document, answer, headers):
    for name, header in answer.get("headers", {}).items():
        header = document.resolve(header)
        value = headers.get(name.lower())
        if value is None:
            if header.get("required"):
                yield f"header {name} is missing"
            continue
        if header["schema"].get("type") == "integer" and re.fullmatch(r"-?\d+", value):
            value = int(value)
        for fault in document.faults(header["schema"], value):
            yield f"header {name}: {fault}"


def check_exchange(document, exchange, covered):
    """Faults of one recorded answer."""
    path = exchange["target"].split("?")[0]
    status, headers = exchange["status"], exchange["headers"]
    kind = headers.get("content-type", "").split(";")[0].strip()
    template = document.template(path)
    operation = document.value["paths"].get(template, {}).get(exchange["method"].lower())
    if operation is None:
        # What is no operation answers 404 or 405, and nothing else.
        if status not in (404, 405) or kind != "application/problem+json":
            return [f"there is no such operation, and it answered {status} {kind}"]
        return document.faults({"$ref": "#/components/schemas/Problem"}, json.loads(exchange["body"]))
    covered[f"{exchange['method']} {template}"].add(status)
    answer = operation["responses"].get(str(status))
    if answer is None:
        return [f"the status is not documented: {exchange['body'][:200]}"]
    answer = document.resolve(answer)
    faults = list(header_faults(document, answer, headers))
    content = answer.get("content", {})
    if not content:
        return faults + ([f"a body where none is documented: {exchange['body'][:200]}"] if exchange["body"] else [])
    if kind not in content:
        return faults + [f"the content type is not documented: {kind}"]
    if kind.endswith("json"):
        faults += document.faults(content[kind]["schema"], json.loads(exchange["body"]))
    return faults


def main():
    exchanges = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    texts = {e["body"] for e in exchanges if e["target"] == "/api/v1/openapi.json" and e["method"] == "GET" and e["status"] == 200}
    if not texts:
        sys.exit(f"none of the {len(exchanges)} recorded exchanges holds the document")
    document = Document(json.loads(texts.pop()))
    faults = [f"OpenAPI: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
              for error in OpenAPIV31SpecValidator(document.value).iter_errors()]
    found, examples = check_examples(document)
    faults += found
    covered = collections.defaultdict(set)
    for exchange in exchanges:
        faults += [f"{exchange['method']} {exchange['target']} {exchange['status']}: {fault}"
                   for fault in check_exchange(document, exchange, covered)]
    operations = {f"{method.upper()} {template}": operation["operationId"]
                  for template, methods in document.value["paths"].items() for method, operation in methods.items()}
    unseen = [name for name in operations if not any(200 <= status < 300 for status in covered[name])]
    for fault, times in collections.Counter(faults).most_common(60):
        print(f"{fault}" + (f" ({times} times)" if times > 1 else ""))
    kinds = sum(len(statuses) for statuses in covered.values())
    print(f"API document: {len(operations)} operations, {examples} examples, {len(exchanges)} recorded answers of {kinds} kinds; "
          f"{len(operations) - len(unseen)} operations seen to succeed, {sum(1 for name in operations if covered[name])} called")
    for name in unseen:
        print(f"  never seen to succeed: {name}" + (f" ({NEVER_SUCCESSFUL[name]})" if name in NEVER_SUCCESSFUL else ""))
    sys.exit(bool(faults) or any(name not in NEVER_SUCCESSFUL for name in unseen))


if __name__ == "__main__":
    main()
