"""What the OpenAPI document tells a client beside the paths."""

from __future__ import annotations

from tests.unit.gateway.gateway_under_test import a_gateway


async def operations():
    gateway = await a_gateway()
    async with gateway.anonymous() as client:
        document = (await client.get("http://gateway/openapi.json")).json()
    found = {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    return document, found


async def test_every_route_says_that_it_needs_a_key_and_what_its_refusals_look_like():
    document, found = await operations()

    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    [scheme] = document["components"]["securitySchemes"]
    assert len(found) > 50
    for operation in found.values():
        assert operation["security"] == [{scheme: []}]
        assert [operation["responses"][status]["content"] for status in ("4XX", "5XX")] == [problem, problem]
        assert "422" not in operation["responses"]
    assert document["components"]["schemas"]["Problem"]["properties"]["errors"]["items"]["$ref"].endswith("/Fault")
    assert "Fault" in document["components"]["schemas"]


async def test_answers_show_their_models():
    _, found = await operations()

    accepted = found["post", "/v1/projects/{project}/samples"]["responses"]["202"]["content"]["application/json"]

    assert accepted["schema"] == {"$ref": "#/components/schemas/Accepted"}


async def test_the_routes_that_heed_a_key_say_so():
    _, found = await operations()

    heeding = {
        (method, path)
        for (method, path), operation in found.items()
        if "Idempotency-Key" in {parameter["name"] for parameter in operation.get("parameters", [])}
    }

    assert ("post", "/v1/projects/{project}/imports") in heeding
    assert {path for method, path in found.keys() - heeding if method == "post"} == {
        "/v1/tasks/claim",
        "/v1/tasks/{task_id}/heartbeat",
        "/v1/projects/{project}/check",
    }
