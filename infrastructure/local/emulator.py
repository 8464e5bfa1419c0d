"""Starts the emulator with what it lacks of Step Functions; see `bridges.rs` for the other bridges.

`TimeoutSeconds` of a task may be a JSONata expression
(https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html). The emulator evaluates expressions in every other
field, but takes this one as it stands, so that a task with one fails at once. Here it is evaluated before the task runs.
"""

from ministack.app import main
from ministack.services import stepfunctions

execute_task = stepfunctions._execute_task


def execute_task_with_timeout(state, raw_input, execution, context):
    if isinstance(state.get("TimeoutSeconds"), str):
        seconds = stepfunctions._jsonata_state_field(state, "TimeoutSeconds", "number", raw_input, context)
        state = {**state, "TimeoutSeconds": seconds}
    return execute_task(state, raw_input, execution, context)


stepfunctions._execute_task = execute_task_with_timeout

main()
