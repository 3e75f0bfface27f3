"""How the emulated Step Functions names the errors of the services that it calls."""

import pytest
from botocore.exceptions import ClientError
from ministack.services.stepfunctions import _ExecutionError

from local.aws.states.tasks import _named_errors


@pytest.mark.parametrize(
    ("service", "code", "name"),
    [
        (("Glue", "AWSGlue"), "ThrottlingException", "Glue.AWSGlueException"),
        (("Glue", "AWSGlue"), "AccessDeniedException", "Glue.AWSGlueException"),
        (("Glue", "AWSGlue"), "ConcurrentRunsExceededException", "Glue.ConcurrentRunsExceededException"),
        (("StepFunctions", "AWSStepFunctions"), "ThrottlingException", "StepFunctions.AWSStepFunctionsException"),
        (("Lambda", "AWSLambda"), "TooManyRequestsException", "Lambda.TooManyRequestsException"),
        (("SNS", "AmazonSNS"), "NotFound", "SNS.NotFoundException"),
    ],
)
def test_an_error_has_the_name_of_the_services_api_or_where_that_has_none_the_general_one(service, code, name):
    refused = ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "Call")  # type: ignore[typeddict-item]
    with pytest.raises(_ExecutionError) as caught, _named_errors(*service):
        raise refused
    assert caught.value.error == name
