"""``cityforge keys``."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cityforge.invocation import Invocation
from cityforge.settings import FILE_NAME, adapt
from cityforge.supervisor import hash_key
from contracts import StoreError
from serving import ApiKey, Role

KEY_BYTES = 32


def create(
    invocation: Invocation,
    name: Annotated[str, typer.Argument(help="Who holds it; written into verdicts and the audit.")],
    *,
    role: Annotated[Role, typer.Option(help="What it may do; each role may do what those before it may.")],
) -> None:
    """Make an API key, print it once, and keep its hash in cityforge.toml. Restart the platform to let it in.

    [bold]Examples[/bold]

        cityforge keys new duty-desk --role operator
        cityforge keys new dashboard --role viewer --json
    """
    settings = invocation.settings
    key = secrets.token_urlsafe(KEY_BYTES)
    entry = ApiKey(name=name, role=role, sha256=hash_key(key))
    adapt(settings, keys=(*settings.keys, entry))
    file = settings.file or Path.cwd() / FILE_NAME
    block = f'\n[[keys]]\nname = "{entry.name}"\nrole = "{entry.role}"\nsha256 = "{entry.sha256}"\n'
    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(block)
    except OSError as exc:
        message = (
            f"{str(file)!r} cannot be written: {exc.strerror or exc}. Make it writable, or add the key there by hand."
        )
        raise StoreError(message) from exc
    invocation.show(f"Key of [bold]{name}[/bold] ({role}), shown once: keep it safe.")
    invocation.out.print(key, soft_wrap=True)
    invocation.show(f"Its hash stands in {file}. Callers send it as: Authorization: Bearer KEY")
    invocation.result({"name": name, "role": role, "key": key, "file": file})


def show(invocation: Invocation) -> None:
    """List names and roles of the keys; the keys themselves are kept nowhere.

    [bold]Example[/bold]

        cityforge keys list
    """
    keys = invocation.settings.keys
    table = Table("name", "role", title=f"{len(keys)} keys")
    for key in keys:
        table.add_row(key.name, key.role.value)
    invocation.show(table)
    invocation.result({"keys": [{"name": key.name, "role": key.role} for key in keys]})
