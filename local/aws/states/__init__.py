"""Step Functions: how an execution walks its state machine. Expressions are evaluated by ministack (jsonata-python)."""
