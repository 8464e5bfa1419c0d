"""Starts the emulator with what it lacks of Step Functions, API Gateway and IAM; see `bridges.rs` for the other bridges.

`TimeoutSeconds` of a task may be a JSONata expression
(https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html). The emulator evaluates expressions in every other
field, but takes this one as it stands, so that a task with one fails at once. Here it is evaluated before the task runs.

The import of an OpenAPI document leaves out its `x-amazon-apigateway-gateway-responses`
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-gateway-responses.html),
though the emulator can answer by such responses when they are set by other means. Here the import sets them.

`x-amazon-apigateway-any-method` of a path, which serves the methods that the path does not list
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-any-method.html), is left out
by the import, too. Here it becomes the method ANY, which the emulator knows.

A request body may be of any length, where API Gateway takes 10 MB
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html). Here a
longer one is refused, in the form of the document's `REQUEST_TOO_LARGE`.

Permission to replay is asked for archives and replays
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_events.html). The emulator asks for every
resource, which a narrow policy does not give. Here it asks for the one that the request names.
"""

import json

from ministack.app import main
from ministack.core import iam_actions
from ministack.services import apigateway_v1, stepfunctions

LARGEST_BODY = 10 * 1024 * 1024

execute_task = stepfunctions._execute_task


def execute_task_with_timeout(state, raw_input, execution, context):
    if isinstance(state.get("TimeoutSeconds"), str):
        seconds = stepfunctions._jsonata_state_field(state, "TimeoutSeconds", "number", raw_input, context)
        state = {**state, "TimeoutSeconds": seconds}
    return execute_task(state, raw_input, execution, context)


stepfunctions._execute_task = execute_task_with_timeout

import_rest_api = apigateway_v1._import_rest_api
execute_in_scope = apigateway_v1._execute_in_scope


import_path_item = apigateway_v1._import_path_item


def import_path_item_with_any_method(api_id, path, path_item, *rest):
    any_method = "x-amazon-apigateway-any-method"
    path_item = {"any" if name == any_method else name: operation for name, operation in path_item.items()}
    return import_path_item(api_id, path, path_item, *rest)


def import_rest_api_with_gateway_responses(spec, base_data=None):
    api_id = import_rest_api(spec, base_data)
    for response_type, response in spec.get("x-amazon-apigateway-gateway-responses", {}).items():
        status, _headers, body = apigateway_v1._put_gateway_response(api_id, response_type, response)
        if status >= 400:
            raise ValueError(f"the gateway response {response_type} is refused: {body!r}")
    return api_id


async def execute_in_scope_within_limits(request, api_id, stage_name, method, path, headers, body, *rest):
    if body is not None and len(body) > LARGEST_BODY:
        # The stage says which deployment's responses hold.
        request["stage"] = apigateway_v1.stages_for_api(api_id).get(stage_name)
        if request["stage"] is not None:
            return apigateway_v1._gw_error("REQUEST_TOO_LARGE", "Request Too Long")
    return await execute_in_scope(request, api_id, stage_name, method, path, headers, body, *rest)


apigateway_v1._OPENAPI_HTTP_METHODS.add("any")
apigateway_v1._import_path_item = import_path_item_with_any_method
apigateway_v1._import_rest_api = import_rest_api_with_gateway_responses
apigateway_v1._execute_in_scope = execute_in_scope_within_limits

extract_resource_arn = iam_actions.extract_resource_arn


def extract_resource_arn_of_replays(service, method, path, headers, body, query_params, region, account_id):
    operation = headers.get("x-amz-target", "").removeprefix("AWSEvents.") if service == "events" else ""
    if operation in {"StartReplay", "DescribeArchive", "DescribeReplay", "CancelReplay"}:
        request = json.loads(body or b"{}")
        if operation == "StartReplay":
            return request.get("EventSourceArn") or "*"
        kind, name = ("archive", "ArchiveName") if operation == "DescribeArchive" else ("replay", "ReplayName")
        return f"arn:aws:events:{region}:{account_id}:{kind}/{request.get(name, '')}"
    return extract_resource_arn(service, method, path, headers, body, query_params, region, account_id)


iam_actions.extract_resource_arn = extract_resource_arn_of_replays

main()
