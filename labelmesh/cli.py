"""``labelmesh``: the command line of those who send samples, label by script, and take datasets out."""

from __future__ import annotations

import typer

from labelmesh.commands import datasets, labeling, models, projects, samples, taxonomies, workforce

app = typer.Typer(help="Send samples, label by script, take datasets out.", no_args_is_help=True)

app.add_typer(projects.app, name="project")
app.add_typer(taxonomies.app, name="taxonomy")
app.command("import")(samples.import_file)
app.command()(samples.upload)
app.command()(labeling.work)
app.command()(projects.progress)
app.command()(workforce.late)
app.command()(workforce.workload)
app.command()(samples.job)
app.command()(samples.cancel)
app.add_typer(datasets.app, name="dataset")
app.command()(samples.predictions)
app.command()(models.errors)
app.command()(models.findings)
app.command()(models.dismiss)
app.add_typer(labeling.key_app, name="key")

if __name__ == "__main__":
    app()
