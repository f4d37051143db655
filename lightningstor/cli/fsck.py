"""`lightningstor fsck`: holds a stopped store's records against its bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from lightningstor.config import Config, load

__all__ = ["fsck_command"]


@click.command("fsck")
@click.option(
    "-c", "--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), help="Config file path."
)
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Data directory.")
@click.option("--repair", is_flag=True, help="Set usage counters right, and remove what nobody refers to.")
def fsck_command(config_file: Path | None, data_dir: Path | None, repair: bool) -> None:
    """Compare what records refer to with what is there, both ways. The daemon must not be running.

    Prints a line for everything that is wrong; the exit code is 0 if nothing is, or if all of it was repaired.
    """
    import trio

    from lightningstor.daemon.datadir import DataDirectoryUnusable
    from lightningstor.daemon.groups import leaves
    from lightningstor.daemon.storage import data_root, in_memory
    from lightningstor.errors import StoreError

    flags = {} if data_dir is None else {"server.data_dir": str(data_dir)}
    config = load(flags, config_file=config_file).config
    if in_memory(config):
        raise click.ClickException("the store is kept in memory: there is nothing to look at")
    place = data_root(config)
    if not (place / "FORMAT").is_file():
        raise click.ClickException(f"there is no data directory {place}; name it with --data-dir")
    try:
        found = trio.run(partial(_look, config, repair=repair))
    except (DataDirectoryUnusable, StoreError, OSError, ExceptionGroup) as error:
        raise click.ClickException("; ".join(str(leaf) for leaf in leaves(error))) from error
    for line, _ in found:
        click.echo(line)
    kinds = Counter("repaired" if repaired else "left" for _, repaired in found)
    if not found:
        click.echo(f"{place} is good.")
    elif not kinds["left"]:
        click.echo(f"{place}: {len(found)} found, all repaired.")
    else:
        raise click.ClickException(f"{place}: {len(found)} found, {kinds['repaired']} repaired")


async def _look(config: Config, *, repair: bool) -> Sequence[tuple[str, bool]]:
    """A line for each finding, and whether it was repaired."""
    from lightningstor.daemon.storage import open_storage
    from lightningstor.ports import production_world
    from lightningstor.store.fsck import fsck

    async with open_storage(config, production_world(config.storage.threads)) as storage:
        return [(str(finding), finding.repaired) for finding in await fsck(storage.store.ctx, repair=repair)]
