"""The OpenAPI document is whole: valid by its meta-schema, each field explained, each example of its kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from watcher.api.openapi import document
from watcher.api.openapi_tags import IDENTIFIERS, TAGS, tag
from watcher.api.openapi_words import WORDS
from watcher.api.server import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = document(ROUTES, "1.2.3", "https://pay.example")
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def test_the_document_is_valid_by_the_meta_schema_of_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()

    assert "3.1.0" == DOCUMENT["openapi"]
    assert "1.2.3" == DOCUMENT["info"]["version"]
    assert ["https://pay.example"] == [server["url"] for server in DOCUMENT["servers"]]


def test_every_field_of_every_model_is_explained() -> None:
    fields = [(m, f, s) for m, schema in SCHEMAS.items() for f, s in schema.get("properties", {}).items()]

    assert [] == [f"{model}.{field}" for model, field, schema in fields if not schema.get("description")]
    assert [] == [model for model, schema in SCHEMAS.items() if not schema.get("description")]


def test_no_explanation_is_left_over() -> None:
    fields = {(m, f) for m, schema in SCHEMAS.items() for f in schema.get("properties", {})}
    known = {f"{model}.{field}" for model, field in fields} | {field for _, field in fields}

    assert set() == set(WORDS) - known


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_every_route_is_described_with_all_its_parameters_and_answers(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert [] == [p["name"] for p in operation["parameters"] if not p["description"]]
    for status, answer in _answers(operation):
        assert answer["description"]
        assert "X-Request-Id" in answer["headers"]
        assert ("Retry-After" in answer["headers"]) == (status in {"429", "503"})
        if status >= "400":
            schema = answer["content"]["application/json"]["schema"]
            assert "#/components/schemas/Problem" == schema["$ref"]


def _answers(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, answer in operation["responses"].items():
        name = answer.get("$ref", "").rpartition("/")[2]
        yield status, DOCUMENT["components"]["responses"][name] if name else answer


@pytest.mark.parametrize("route", ROUTES, ids=[f"{r.method} {r.path}" for r in ROUTES])
def test_what_a_route_can_answer_follows_from_what_it_is(route: Any) -> None:
    found = set(OPERATIONS[f"{route.method} {route.path}"]["responses"])

    always = {str(route.status), "400", "408", "413", "414", "422", "431", "500"}
    assert always <= found
    assert bool(route.scope) == ({"401", "403"} <= found)
    assert route.tagged == ("304" in found)
    assert ("{" in route.path) == ("404" in found)


def test_every_path_has_a_tag_that_is_described() -> None:
    used = {tag(route.path) for route in ROUTES}

    assert set(TAGS) == used == {one["name"] for one in DOCUMENT["tags"]}
    assert {tag(route.path) for route in ROUTES if "{" in route.path} == set(IDENTIFIERS)


def _examples() -> Iterator[Any]:
    for label, operation in OPERATIONS.items():
        bodies = {"asked": operation.get("requestBody", {"content": {}})}
        bodies |= {status: answer for status, answer in _answers(operation) if "content" in answer}
        for which, body in bodies.items():
            for media, content in body["content"].items():
                if (media == "application/json" and label != "GET /openapi.json") or "example" in content:
                    yield pytest.param(content, id=f"{label} {which}")


@pytest.mark.parametrize("content", [*_examples()])
def test_every_body_and_answer_has_an_example_that_its_schema_allows(content: dict[str, Any]) -> None:
    schema = {**content["schema"], "components": {"schemas": SCHEMAS}}

    Draft202012Validator(schema).validate(content["example"])


def test_an_example_names_no_real_secret() -> None:
    secrets = re.findall(r"whsec_[A-Za-z0-9+/=]{20,}|dwk_\w{20,}", str(DOCUMENT))

    assert {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} == set(secrets)  # that of the Standard Webhooks
