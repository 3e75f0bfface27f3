"""JSONata as Step Functions has it: without `$eval`, and a Condition that is true or false.

AWS documented: JSONata: "$eval is not available". https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html

AWS documented: the Condition of a Choice "evaluates to true/false"; another result is States.QueryEvaluationError,
"an incorrectly typed result". https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
https://states-language.net/spec.html
"""

from collections.abc import Callable
from typing import Any, NoReturn

from jsonata.signature import Signature
from jsonata.utils import Utils
from ministack.services import stepfunctions as sfn

from local.aws.patches.replace import attribute, replace, wrap
from local.aws.settings import Settings

ERROR = "States.QueryEvaluationError"


def apply(_: Settings) -> None:
    """Patch the evaluation of expressions."""
    for name in ("_jsonata_state_field", "_ExecutionError"):
        attribute(sfn, name)
    wrap(sfn, "_register_sfn_jsonata_functions", _without_eval)
    replace(sfn, "_evaluate_jsonata_choice_rule", _condition)
    wrap(Signature, "get_symbol", _null_is_a_value)


def _without_eval(original: Callable[[Any], None]) -> Callable[[Any], None]:
    def register(expression: Any) -> None:
        original(expression)
        expression.register_lambda("eval", _refuse_eval)

    return register


def _refuse_eval(_text: Any = None, _context: Any = None) -> NoReturn:
    raise sfn._ExecutionError(ERROR, "T1006: Attempted to invoke a non-function: $eval is not available, use $parse")


def _null_is_a_value(original: Callable[[Any, Any], str]) -> Callable[[Any, Any], str]:
    """A null that a function is given is none of its texts or numbers; the port takes it for an argument left out.

    As in the reference implementation: tests/integration/jsonata.
    """

    def get_symbol(signature: Any, value: Any) -> str:
        return "l" if value is Utils.NULL_VALUE else original(signature, value)

    return get_symbol


def _condition(rule: dict[str, Any], data: Any, context: Any) -> bool:
    held = {"Condition": rule.get("Condition")}
    return bool(sfn._jsonata_state_field(held, "Condition", "boolean", data, context))
