"""Loaded by schemathesis (SCHEMATHESIS_HOOKS)."""

import os

import schemathesis
from hypothesis.internal import lambda_sources

# To name each filter in its reports Hypothesis parses its source, and CPython 3.11 fails now and then where several threads parse ("AST constructor
# recursion depth mismatch"), and a whole phase of the run with it.
lambda_sources.lambda_description = lambda _: "lambda: <unknown>"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Leaves the way of signing in that this run uses: schemathesis would send both at once, which the gateway refuses before all else."""
    way = os.environ["FUZZ_CREDENTIAL"]
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            if operation["security"]:
                operation["security"] = [{way: []}]
    raw_schema["components"]["securitySchemes"] = {way: raw_schema["components"]["securitySchemes"][way]}
