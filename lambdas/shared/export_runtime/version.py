"""The version of this project. Job and DAG share no code with this; a test holds theirs equal to it.

The functions and the command line carry it in their user agent, and summary and report say which one wrote them. The
stack's output ``Version`` and the names of the files of a release are made of it, and so is the package's version.
"""

VERSION = "0.2.0"
USER_AGENT = f"mwaa-metadata-export/{VERSION}"
"""what requests to AWS carry besides the SDK's own, to be seen in CloudTrail"""
