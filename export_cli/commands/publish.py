"""`publish`: script, packages and DAG, put in place again."""

import click

from export_cli.errors import BAD, OK
from export_cli.options import Session, with_session
from export_cli.publication import JobAssets, job_assets
from export_cli.publication import publish as publish_assets


@click.command()
@with_session
def publish(session: Session) -> int:
    """Put the Glue job's script and packages in place again, and the DAG where the stack does.

    A deployment does it only when they have changed. Exit code 1 when the Glue job names others.
    """
    target = session.target()
    published = publish_assets(session.aws, target.output("PublishAssetsFunctionName"))
    named = job_assets(session.aws, target.name)
    fits = named == JobAssets(published.get("script", ""), published.get("packages", ""))
    if session.screen.as_json:
        session.screen.document({"published": published, "job_names_them": fits})
    session.screen.facts(published)
    if not fits:
        names = f"names {named.script} and {named.packages}" if named else "does not exist"
        session.screen.line("bad", f"Glue job {target.name} {names}. Make it what the template says:",
                            f"{session.ours('repair', target)} --yes")  # fmt: skip
    return OK if fits else BAD
