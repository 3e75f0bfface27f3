"""The version of this project as the job's wheel carries it; a test holds it equal to that of functions and command."""

VERSION = "0.2.0"
USER_AGENT = f"mwaa-metadata-export/{VERSION}"
"""what requests to AWS carry besides the SDK's own, to be seen in CloudTrail"""
